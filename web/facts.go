package web

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/easelqueue/easel/internal/human"
	"github.com/easelqueue/easel/task"
)

// facts collects the lines that say something.
type facts []fact

func (f *facts) add(name, value string) {
	if value != "" {
		*f = append(*f, fact{Name: name, Value: human.Shorten(value, maxValue)})
	}
}

// asked lists what the task asks for besides its prompt.
func asked(t *task.Task) []fact {
	var f facts
	f.add("provider", t.Provider)
	f.add("model", t.Model)
	f.add("size", t.Size)
	f.add("quality", t.Quality)
	f.add("style", t.Style)
	f.add("steps", optional(t.Steps))
	f.add("cfg scale", optional(t.CFGScale))
	f.add("seed", optional(t.Seed))
	f.add("watermark", optional(t.Watermark))
	f.add("count", strconv.Itoa(t.ImageCount))
	f.add("input picture", pictureAddress(t.InputImageURL))
	f.add("input photo", optional(t.InputImageID))
	references, err := (&task.Task{Request: task.Request{ReferenceImages: t.ReferenceImages}}).Inputs()
	if err != nil {
		f.add("references", err.Error())
	}
	for i, address := range references {
		f.add("reference "+strconv.Itoa(i+1), pictureAddress(address))
	}
	for _, name := range slices.Sorted(maps.Keys(t.Parameters)) {
		f.add(human.Shorten(name, task.MaxText), t.Parameters[name])
	}
	f.add("user", optional(t.UserID))
	f.add("drama", optional(t.DramaID))
	f.add("storyboard", optional(t.StoryboardID))
	f.add("subject", t.SubjectType)
	f.add("subject id", t.SubjectID)
	f.add("metadata", t.Metadata)
	f.add("idempotency key", t.IdempotencyKey)
	f.add("webhook", t.WebhookURL)
	return f
}

// stands lists where the task stands.
func stands(t *task.Task, attempts []task.Attempt) []fact {
	f := facts{{"cost", total(t, attempts), true}}
	f = append(f, fact{"priority", t.Priority.String(), true}, fact{"failed tries", fmt.Sprintf("%d of %d", t.FailedTries, t.MaxTries()), true})
	f.add("waits", strconv.Itoa(t.Waits))
	f.add("crashes", strconv.Itoa(t.Crashes))
	f.add("delivery", t.Ref().String())
	f.add("fence", strconv.FormatInt(t.Fence, 10))
	f.add("worker", t.Worker)
	f.add("provider's job", t.ProviderJobID)
	f.add("file", t.LocalPath)
	f.add("object", t.MinioURL)
	return f
}

// total is what the task has cost, as far as it is known.
func total(t *task.Task, attempts []task.Attempt) string {
	happened := func(a task.Attempt) bool { return a.State != task.AttemptRejected }
	if t.CostMicros == nil && !slices.ContainsFunc(attempts, happened) {
		return "none"
	}
	underWay := func(a task.Attempt) bool { return a.State == task.AttemptSending || a.State == task.AttemptAccepted }
	if t.CostMicros == nil && slices.ContainsFunc(attempts, underWay) {
		return "not known yet"
	}
	return cost(t.CostMicros, t.Currency)
}

// times lists what happened when, as far as it has. The lease is the heartbeat's of its worker, and
// no time of the row.
func times(t *task.Task) []instant {
	var list []instant
	due := &t.RunAt
	if t.CompletedAt != nil && due.After(*t.CompletedAt) {
		due = nil // it does not run any more
	}
	for _, at := range []struct {
		name string
		time *time.Time
	}{
		{"created", &t.CreatedAt}, {"published", t.PublishedAt}, {"due", due}, {"deadline", t.DeadlineAt}, {"started", t.StartedAt},
		{"cancel asked for", t.CancelRequestedAt}, {"ended", t.CompletedAt}, {"changed", &t.UpdatedAt},
	} {
		if at.time != nil && !at.time.IsZero() {
			list = append(list, instant{at.name, *at.time})
		}
	}
	return list
}

func optional[T any](v *T) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(*v)
}
