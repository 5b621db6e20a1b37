package matrix

import (
	"fmt"
	"slices"

	"github.com/easelqueue/easel/internal/crash"
	"github.com/easelqueue/easel/task"
)

// What a case does to the worker at its point.
const (
	kill = "kill"
	stop = "stop" // freeze beyond the lease, then go on
)

// single is one case of the matrix.
type single struct {
	point string // see package crash
	how   string
	class string // of the service: K honours a key, C (ComfyUI) looks one up, A (Replicate) is asynchronous, S (OpenAI) answers in the call
	store string
}

func (c single) String() string {
	return fmt.Sprintf("%s/%s/%s/%s", c.point, c.how, c.class, c.store)
}

// every returns all 192 cases.
func every() []single {
	var all []single
	for _, point := range crash.Points {
		for _, how := range []string{kill, stop} {
			for _, class := range []string{"idempotent", "lookup", "async", "sync"} {
				for _, store := range []string{"sqlite", "postgres"} {
					all = append(all, single{point, how, class, store})
				}
			}
		}
	}
	return all
}

// some returns a sixteenth of them: each point, class, store and way at least once; and the loss
// between a picture that came with its answer and the journal.
func some() []single {
	few := []single{{"picture stored", kill, "sync", "sqlite"}}
	for i, c := range every() {
		if point, rest := i/16, i%16; rest == (point*5)%16 {
			few = append(few, c)
		}
	}
	return few
}

// outcome is what a case has to end with. A task that is completed shows the
// picture of its one bill.
type outcome struct {
	status task.Status
	kind   task.Kind
	bills  int
	late   bool // the picture is kept beside the task
}

// expected says how a case ends. Only where a service cannot be asked after a
// call, and the worker was lost between writing the call down and writing its
// outcome down, nobody can know.
func (c single) expected() outcome {
	known := outcome{status: task.Completed, bills: 1}
	blind := c.class == "async" || c.class == "sync"
	if !blind || !slices.Contains([]string{"attempt committed", "request written", "answer read"}, c.point) {
		return known
	}
	o := outcome{status: task.Failed, kind: task.OutcomeUnknown, bills: 1}
	switch {
	case c.point == "attempt committed" && c.how == stop:
		o.bills, o.kind = 0, task.Unavailable // it was not sent, as the lost worker says in the end
	case c.point == "attempt committed":
		o.bills = 0 // it was not sent, which only the lost worker knew
	case c.how == stop:
		o = outcome{status: task.Completed, bills: 1, late: true} // whoever was only frozen brings the picture, and settles the call
	}
	return o
}
