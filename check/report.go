package check

import (
	"cmp"
	"time"
)

// Limits say how strictly evidence is judged. The zero value of a field stands
// for its default.
type Limits struct {
	// Clock is how far the clocks of two books may be apart, default what the run says, or
	// else 5 ms. It must be shorter than a call, or a call that is journalled afterwards goes unseen.
	Clock time.Duration
	// Slack is how long before and after its time a fault may show, default 2 s, or what
	// the run says of its clocks if that is more.
	Slack time.Duration
	// Search bounds the search for an order that explains the history, default 1 min.
	Search time.Duration

	MaxCrashes int // workers that die over a task before it may fail over them, default 3
	MaxWaits   int // waits for rate limits or storage before it may fail over them, default 100
	// ServerErrors is how many calls may follow those that the service failed by its own
	// fault and did not bill, default 2.
	ServerErrors int
	ErrorMsg     int // bytes of an error_msg, default 4,096
	APIResponse  int // bytes of an api_response, default 65,536
	Stories      int // tasks whose story is told, default 50; all violations are listed anyway

	MustBite bool // a run in which nothing was refused, resumed or unknown proves nothing
}

// maxClocksApart is an hour, in milliseconds.
const maxClocksApart = 3_600_000

func (l Limits) withDefaults(r Run) Limits {
	apart := time.Duration(r.ClocksApart) * time.Millisecond
	set(&l.Clock, cmp.Or(apart, 5*time.Millisecond))
	set(&l.Slack, max(apart, 2*time.Second))
	set(&l.Search, time.Minute)
	set(&l.MaxCrashes, 3)
	set(&l.MaxWaits, 100)
	set(&l.ServerErrors, 2)
	set(&l.ErrorMsg, 4<<10)
	set(&l.APIResponse, 64<<10)
	set(&l.Stories, 50)
	return l
}

func set[T ~int | ~int64](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}

// State is what became of an invariant.
type State string

const (
	Holds      State = "holds"
	Violated   State = "violated"
	Unmeasured State = "not applicable" // the evidence cannot say; Note tells why
)

// Judgement is what the evidence says about one invariant.
type Judgement struct {
	ID         string      `json:"id"`
	Claim      string      `json:"claim"`
	State      State       `json:"state"`
	Note       string      `json:"note,omitempty"`
	Violations []Violation `json:"violations,omitempty"`
}

// Violation is one fact that contradicts an invariant.
type Violation struct {
	Task int64  `json:"task,omitempty"` // 0 if it is about no row
	Tag  string `json:"tag,omitempty"`
	Text string `json:"text"`
}

// Story is everything that the books say of a task, in the order of time.
type Story struct {
	Task     int64  `json:"task,omitempty"`
	Tag      string `json:"tag,omitempty"`
	Timeline string `json:"timeline"`
}

// Counts are the sizes of the books and what happened in the run.
type Counts struct {
	Tasks          int            `json:"tasks"`
	Statuses       map[string]int `json:"statuses"`
	Acknowledged   int            `json:"acknowledged"`
	LostAcks       int            `json:"lost_acknowledgements"`
	Attempts       int            `json:"attempts"`
	Results        int            `json:"results"`
	Billed         int            `json:"billed"`
	BilledAgain    int            `json:"billed_again"` // charges beyond the first of a task, authorised or not
	Duplicates     int            `json:"duplicates"`   // calls that a key made harmless
	Unknown        int            `json:"unknown"`
	Late           int            `json:"late"`          // answers that came after their task was taken away
	OpenAttempts   int            `json:"open_attempts"` // of final tasks; their calls may still be answered
	Resumed        int            `json:"resumed"`       // answers that a later claim fetched by their handle
	ZombiesRefused int            `json:"zombies_refused"`
	Faults         int            `json:"faults"`
	Ambiguous      int            `json:"ambiguous_faults"`
	Operations     int            `json:"operations"`
}

// Report is the judgement of a run.
type Report struct {
	OK         bool        `json:"ok"` // nothing is violated
	Judgements []Judgement `json:"verdicts"`
	Counts     Counts      `json:"counts"`
	Stories    []Story     `json:"stories,omitempty"`
	Untold     int         `json:"untold,omitempty"` // violated tasks whose story was left out
}
