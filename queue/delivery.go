package queue

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/easelqueue/easel/task"
)

// Type is the type that every delivery has in asynq and shows in asynqmon.
const Type = "image"

const (
	payloadVersion = 1
	maxPayload     = 4 << 10 // bytes; ours have about fifty
	maxProvider    = 64      // bytes of a provider's name
)

// Delivery brings one row to a worker and says nothing about it. Its
// TaskID in asynq is "<task id>.<delivery>".
type Delivery struct {
	task.Ref
	Provider string
	Priority task.Priority
	At       time.Time // when it is due; zero or past means now
}

// payload is all that Redis knows about a task. A change that an older worker
// would misread needs a new version: that worker then leaves it to a newer one.
type payload struct {
	Version  int   `json:"v"`
	Task     int64 `json:"task"`
	Delivery int   `json:"delivery"`
}

// Queue returns the name of the asynq queue in which r waits: the provider's
// name, followed by ":high" or ":low".
func (r Delivery) Queue() string { return queueName(r.Provider, r.Priority) }

// Validate reports which field of r the queue cannot carry.
func (r Delivery) Validate() error {
	switch {
	case r.Task <= 0:
		return fmt.Errorf("queue: task is %d; it must be a positive row id", r.Task)
	case r.Delivery < 0:
		return fmt.Errorf("queue: delivery is %d; it must not be negative", r.Delivery)
	}
	return validProvider(r.Provider)
}

// validProvider keeps a provider's name from meaning something else in a queue
// name, a Redis key or an asynqmon address.
func validProvider(name string) error {
	bad := func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r) || strings.ContainsRune(":{}/%?#", r)
	}
	if name == "" || len(name) > maxProvider || !utf8.ValidString(name) || strings.ContainsFunc(name, bad) {
		return fmt.Errorf("queue: provider is %.80q; it must have 1 to %d bytes without space or any of : { } / %% ? #", name, maxProvider)
	}
	return nil
}

func (r Delivery) payload() ([]byte, error) {
	return json.Marshal(payload{payloadVersion, r.Task, r.Delivery})
}

// newerPayload says that a payload was written by a release that this one does not know.
type newerPayload struct{ version int }

func (n newerPayload) Error() string {
	return fmt.Sprintf("payload has version %d; this worker knows up to %d", n.version, payloadVersion)
}

// unreadable is the verdict on a delivery that cannot be read: a newer worker may know a
// version that this release does not; anything else is archived.
func unreadable(err error) Verdict {
	if errors.As(err, new(newerPayload)) {
		return Verdict{Action: Retry, After: unknownVersionDelay, Reason: err.Error()}
	}
	return Verdict{Action: Archive, Reason: err.Error()}
}

// parsePayload returns what a payload says; a newerPayload if a later release wrote it.
// What it does not know in one of its own version, as a former release had it, it passes over.
func parsePayload(data []byte) (payload, error) {
	if len(data) > maxPayload {
		return payload{}, fmt.Errorf("payload has %d bytes; at most %d are read", len(data), maxPayload)
	}
	var head struct {
		Version int `json:"v"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return payload{}, fmt.Errorf("payload cannot be read: %w", err)
	}
	if head.Version > payloadVersion {
		return payload{}, newerPayload{head.Version}
	}
	var p payload
	if err := json.Unmarshal(data, &p); err != nil {
		return payload{}, fmt.Errorf("payload cannot be read: %w", err)
	}
	if p.Version != payloadVersion || p.Task <= 0 || p.Delivery < 0 {
		return payload{}, fmt.Errorf("payload names no delivery: v=%d task=%d delivery=%d", p.Version, p.Task, p.Delivery)
	}
	return p, nil
}

// parseID returns the delivery that an asynq TaskID stands for, and whether it
// is one of ours.
func parseID(id string) (task.Ref, bool) {
	number, delivery, found := strings.Cut(id, ".")
	if !found {
		return task.Ref{}, false
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n <= 0 {
		return task.Ref{}, false
	}
	d, err := strconv.Atoi(delivery)
	if err != nil || d < 0 {
		return task.Ref{}, false
	}
	ref := task.Ref{Task: n, Delivery: d}
	return ref, ref.String() == id
}

func queueName(provider string, p task.Priority) string {
	if p == task.Normal {
		return provider
	}
	return provider + ":" + p.String()
}

// queueNames returns the three queues of a provider with their weights: of ten
// looks at full queues six begin with high and one with low, so none starves.
func queueNames(provider string) map[string]int {
	return map[string]int{
		queueName(provider, task.High):   6,
		queueName(provider, task.Normal): 3,
		queueName(provider, task.Low):    1,
	}
}

func parseQueue(name string) (provider string, p task.Priority) {
	if base, found := strings.CutSuffix(name, ":"+task.High.String()); found {
		return base, task.High
	}
	if base, found := strings.CutSuffix(name, ":"+task.Low.String()); found {
		return base, task.Low
	}
	return name, task.Normal
}

// roundUp returns t or the next whole second after it: asynq keeps times in
// whole seconds and cuts the rest off, which would be too early.
func roundUp(t time.Time) time.Time {
	whole := t.Truncate(time.Second)
	if whole.Before(t) {
		return whole.Add(time.Second)
	}
	return whole
}
