// Package check judges what a run of easel left behind. It compares books that
// were kept independently of each other (the provider's, the clients', the
// tables, Redis, the stored pictures, the faults, the history of claims and
// saves) and says which promises held and, where one did not, shows the whole
// story of the task. It imports nothing else of easel, so that the two cannot
// share a mistake.
package check

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// Evidence is all books of one run. Read fills it; Limits may be set after that.
type Evidence struct {
	Ledger   []Entry            // ledger.jsonl, in the order in which the provider saw it
	Clients  []Told             // clients.jsonl
	Tables   Tables             // tables.json
	Redis    []Delivery         // redis.json
	Pictures map[string]Picture // pictures.json, by storage key
	Faults   []Fault            // faults.jsonl, optional
	History  []Op               // history.jsonl, optional
	Run      Run                // run.json
	Searched int                // files in which canaries were looked for
	Hits     []Hit              // canaries that were found

	Limits Limits
}

// Entry is one line of a provider's own book, the truth about money.
type Entry struct {
	At       When     `json:"at"`
	Event    string   `json:"event"` // submit, duplicate, poll, cancel, recover, refused, overlimit, callback
	Provider string   `json:"provider"`
	Class    string   `json:"class"`            // idempotent honours a key, lookup can look our id up, async gives a job, sync is neither
	Key      string   `json:"key"`              // attempt_key as it was sent, if it was
	Tag      string   `json:"tag"`              // from the prompt
	Job      string   `json:"job"`              // the provider's own id
	Billed   bool     `json:"billed"`           // true on exactly one line per charge
	Cut      bool     `json:"cut,omitempty"`    // the answer did not reach the caller whole, or did not say what happened
	Pictures []string `json:"pictures"`         // SHA-256 of what was drawn, on any line of the job
	Detail   string   `json:"detail,omitempty"` // for the timeline
}

// Told is one thing that a client was told.
type Told struct {
	At    When   `json:"at"`
	Began When   `json:"began"` // when the client asked; At if it is empty
	Event string `json:"event"` // acked, lost, retry, retry_lost, cancel, seen
	Task  int64  `json:"task"`
	Tag   string `json:"tag"`
	Door  string `json:"door"`
	// Detail of retry and retry_lost is not_charged or buy_again if that was said; of seen, the status.
	Detail string `json:"detail"`
}

// asked is when the client began to ask.
func (t *Told) asked() time.Time {
	if t.Began.IsZero() {
		return t.At.Time
	}
	return t.Began.Time
}

// Tables are the rows of the database, with the names of its columns. Text that
// is NULL is empty. Columns that are not listed here are ignored.
type Tables struct {
	Tasks    []Row     `json:"image_generations"`
	Attempts []Attempt `json:"generation_attempt"`
	Results  []Result  `json:"generation_result"`
	Workers  []Worker  `json:"easel_worker"`
}

// Row is one row of image_generations.
type Row struct {
	ID          int64  `json:"id"`
	Provider    string `json:"provider"`
	Prompt      string `json:"prompt"`
	ImageCount  int    `json:"image_count"` // pictures that are wanted; 0 counts as 1
	MaxAttempts int    `json:"max_attempts"`
	RunAt       When   `json:"run_at"`
	Status      string `json:"status"`
	Attempt     int    `json:"attempt"`
	Waits       int    `json:"waits"`
	Crashes     int    `json:"crashes"`
	Delivery    int    `json:"delivery"`
	Fence       int64  `json:"fence"`
	Worker      string `json:"worker"`
	ErrorMsg    string `json:"error_msg"`
	ErrorKind   string `json:"error_kind"`
	ErrorCode   string `json:"error_code"`
	StartedAt   When   `json:"started_at"`
	CompletedAt When   `json:"completed_at"`
	CreatedAt   When   `json:"created_at"`
	ImageURL    string `json:"image_url"`
	Width       int    `json:"width"`
	Height      int    `json:"height"`
	APIResponse string `json:"api_response"`
	CostMicros  *int64 `json:"cost_micros"`
}

// Attempt is one row of generation_attempt.
type Attempt struct {
	ID         int64  `json:"id"`
	TaskID     int64  `json:"task_id"`
	Delivery   int    `json:"delivery"`
	Number     int    `json:"number"`
	Key        string `json:"attempt_key"`
	Provider   string `json:"provider"`
	State      string `json:"state"`
	Images     int    `json:"images"` // pictures that the call asked for; 0 is all of the task
	Handle     string `json:"handle"`
	ErrorKind  string `json:"error_kind"`
	ErrorMsg   string `json:"error_msg"`
	Unbilled   Truth  `json:"unbilled"` // failed by the service's own fault, which it does not bill
	CostMicros *int64 `json:"cost_micros"`
	Worker     string `json:"worker"`
	Fence      int64  `json:"fence"`
	SentAt     When   `json:"sent_at"`
	AnsweredAt When   `json:"answered_at"`
	FinishedAt When   `json:"finished_at"`
}

// Truth is a boolean column, which SQLite keeps as a number.
type Truth bool

func (t *Truth) UnmarshalJSON(text []byte) error {
	switch string(text) {
	case "true", "1":
		*t = true
	case "false", "0", "null":
		*t = false
	default:
		return fmt.Errorf("%.20q is neither true nor false", text)
	}
	return nil
}

// Result is one row of generation_result.
type Result struct {
	ID         int64  `json:"id"`
	TaskID     int64  `json:"task_id"`
	AttemptID  int64  `json:"attempt_id"`
	Position   int    `json:"position"`
	URL        string `json:"generated_image_url"`
	FileSize   int64  `json:"file_size"`
	Width      int    `json:"width"`
	Height     int    `json:"height"`
	SHA256     string `json:"sha256"`
	StorageKey string `json:"storage_key"`
	CreatedAt  When   `json:"created_at"`
}

// Worker is one row of easel_worker.
type Worker struct {
	ID string `json:"id"`
}

// Delivery is one entry of the queue, in whatever state.
type Delivery struct {
	Queue string `json:"queue"`
	ID    string `json:"id"`    // TASK.DELIVERY
	State string `json:"state"` // pending, active, scheduled, retry, archived, completed
}

// Picture is one stored object.
type Picture struct {
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
}

// Fault is one thing that was done to the system.
type Fault struct {
	At    When   `json:"at"`
	Until When   `json:"until"` // when it was over; At if it is empty
	Kind  string `json:"kind"`
	// Target narrows whom it can excuse if it is the name of a worker, a provider,
	// a tag, an attempt_key or a provider's job; any other name stands for everybody.
	Target    string `json:"target"`
	Detail    string `json:"detail"`
	Ambiguous bool   `json:"ambiguous"` // it may cause an outcome that nobody knows
}

// Op is one claim, or one write that carries a fence.
type Op struct {
	Task   int64  `json:"task"`
	Op     string `json:"op"` // claim, begin, release, save, fail, reclaim, archive, cancel, retry, came_late
	Client string `json:"client"`
	Call   int64  `json:"call"`   // Unix time in ns
	Return int64  `json:"return"` // Unix time in ns; not used if Unknown
	// Fence is the token that begin, release, save and fail presented, and that the
	// others were given; 0 if it is not known.
	Fence   int64  `json:"fence"`
	OK      bool   `json:"ok"`
	Unknown bool   `json:"unknown,omitempty"` // the client never learnt whether it happened; OK does not count
	Status  string `json:"status,omitempty"`  // of fail: what the row became
	Kind    string `json:"kind,omitempty"`    // of fail: error_kind
}

// Run says what the run was.
type Run struct {
	Seed        int64             `json:"seed"`
	Policy      map[string]string `json:"policy"` // hold or retry by provider
	Class       map[string]string `json:"class"`  // idempotent, lookup, async or sync by provider
	Began       When              `json:"began"`
	FaultsEnded When              `json:"faults_ended"`
	Settled     When              `json:"settled"`
	// Expect names counters of the product that must not be zero in a run that bites.
	Expect   map[string]int `json:"expect"`
	Canaries []string       `json:"canaries"`
	// ClocksApart is by how many milliseconds the clocks of the books may have differed; 0 leaves
	// it to Limits.
	ClocksApart int64 `json:"clocks_apart_ms,omitempty"`
	// Resources counts goroutines, fds and the like before the first task and
	// after settling, by process; a process that was killed is left out.
	Resources map[string]Span `json:"resources,omitempty"`
}

// Span is counters at the begin and at the end of a run, by name.
type Span struct {
	Begin map[string]int `json:"begin"`
	End   map[string]int `json:"end"`
}

// Hit is a canary in a place where no secret belongs.
type Hit struct {
	File   string
	Canary int // index in Run.Canaries; the text itself is shown nowhere
	Offset int64
}

// When is a time of RFC 3339, or none: null and "".
type When struct{ time.Time }

func (w *When) UnmarshalJSON(text []byte) error {
	if string(text) == "null" || string(text) == `""` {
		*w = When{}
		return nil
	}
	t, err := time.Parse(time.RFC3339Nano, string(bytes.Trim(text, `"`)))
	if err != nil {
		return fmt.Errorf("%.60s is no time; accepted are RFC 3339, null and \"\"", text)
	}
	w.Time = t
	return nil
}

func (w When) MarshalJSON() ([]byte, error) {
	if w.IsZero() {
		return []byte(`""`), nil
	}
	return json.Marshal(w.Format(time.RFC3339Nano))
}
