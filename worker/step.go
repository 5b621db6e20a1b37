package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/rs/zerolog"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/task"
)

// phase is how far a step is.
//
//	claim ─▶ resume ─┬────────▶ buy ─┬─▶ record ─▶ poll ─▶ record ─▶ keep ─▶ finish
//	                 ├─▶ look up ────┘               │
//	                 └─▶ poll, keep               cancel
//
// Each may go to finish at once.
type phase int

const (
	claiming   phase = iota // the row is taken
	resuming                // the journal says where to go on
	lookingUp               // the provider is asked after a call whose outcome was lost
	buying                  // a new call is journalled and made
	recording               // what the provider has said is journalled
	polling                 // the provider is asked after its job
	cancelling              // the provider is asked to stop its job
	keeping                 // pictures are brought into our storage
	finishing               // how the step ends is written
	done
)

// step is the work on one delivery. Its phases hand on what they have learnt in its fields.
type step struct {
	w        *Worker
	delivery queue.Delivery
	svc      *provider.Service // of the call that is worked on; the task's own but for a call of before a fallback
	log      zerolog.Logger

	waiting context.Context // for waiting only; see hold
	wakeUps <-chan struct{} // say that the provider may have more to say
	letGo   func()          // of the task; nil before it is held
	room    room            // to buy; empty if the step began by going on

	t       *task.Task
	last    *task.Attempt    // the call that is being worked on, if any
	account provider.Account // of that call
	history *task.History    // of the task, as this step knows it; see count
	passed  []int64          // calls that are left to the late collecting; see passOver
	claimed time.Time        // when the claim was asked for, by our own clock
	clock   time.Time        // what the database's said then

	imagesDone int // pictures that need no further call; see batches.go
	before     int // pictures before those of the call that is being worked on

	said    provider.Answer     // what recording journals, and polling goes on from
	answer  answer              // what keeping collects
	stored  map[int]task.Result // those of its pictures that came with it and lie in storage
	looking time.Time           // since when it waits for a picture
	ending  ending              // what finishing writes
	failure *task.Failure       // of a call that was made, for the limiter

	was      task.AttemptState // of a call that is collected late, as it was taken; empty in the step of a delivery
	beside   bool              // its task is not over, but goes on with a newer call
	leaves   bool              // its call to the collecting of late ones
	drawn    bool              // other calls have brought all pictures of the task while it was about to fail
	stopping bool              // the provider was asked to stop its job before that had begun; see cancel
	panicked bool              // and is to fail for it
	refused  bool              // the database has refused a row of this step
	onlyIn   string            // where a paid answer lies that the database has refused; empty is in the journal
}

// late reports whether the step does not hold the task, which is over or goes on with a newer
// call, and only collects its call.
func (s *step) late() bool { return s.was != "" }

// answer is what the journal keeps of a finished job.
type answer struct {
	Version int               `json:"v,omitempty"` // 0 is 1
	Outputs []provider.Output `json:"outputs"`
	Raw     json.RawMessage   `json:"raw,omitempty"`
}

// answerVersion is that of the JSON of answer. It grows when a former release
// would misread what is new in it.
const answerVersion = 1

// none stands for no verdict while the step goes on. With done the same value means that the delivery is done.
var none queue.Verdict

// run goes through the phases, from one on, to the verdict.
func (s *step) run(ctx context.Context, from phase) (verdict queue.Verdict) {
	for p := from; p != done; {
		p, verdict = s.advance(ctx, p)
	}
	return verdict
}

// advance does the work of one phase. A panic, which only a fault of ours or of an adapter
// can cause, becomes a failure of this one task.
func (s *step) advance(ctx context.Context, p phase) (next phase, verdict queue.Verdict) {
	defer func() {
		if cause := recover(); cause != nil {
			next, verdict = s.panics(cause)
		}
	}()
	switch p {
	case claiming:
		return s.claim(ctx)
	case resuming:
		return s.resume(ctx)
	case lookingUp:
		return s.lookUp(ctx)
	case buying:
		return s.buy(ctx)
	case recording:
		return s.record(ctx)
	case polling:
		return s.poll(ctx)
	case cancelling:
		return s.cancel(ctx)
	case keeping:
		return s.keep(ctx)
	default:
		return s.finish(ctx)
	}
}

// panics fails the task for a panic. One without a claim, or in writing that very failure, is
// left to the queue.
func (s *step) panics(cause any) (phase, queue.Verdict) {
	s.log.Error().Str("panic", fmt.Sprint(cause)).Bytes("stack", debug.Stack()).Msg("panic")
	if s.t == nil || s.panicked {
		panic(cause)
	}
	s.panicked = true
	return s.endWith(s.failsInside(&task.Failure{Kind: task.Internal, Executed: task.NotExecuted, Message: "easel or an adapter of it panicked",
		Advice: task.ReportToProject}))
}

// failsInside is how the task fails for something that may have happened within its call.
func (s *step) failsInside(f *task.Failure) ending {
	if s.last != nil && s.last.State == task.AttemptSending {
		f.Executed = task.Unknown
		return callFailed{f}
	}
	return taskFailed{failure: f}
}

// end lets go of all that the step holds.
func (s *step) end(ctx context.Context) {
	if s.letGo != nil {
		s.letGo()
	}
	if s.leaves {
		s.w.late.leave(s.last.ID)
	}
	s.room.release(ctx)
}
