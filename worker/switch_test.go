package worker_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

func TestFallback(t *testing.T) {
	inBubble(t, []claim{
		{"A provider that refuses the account is followed by the one that the task names", fallsBack},
		{"A task that names none fails", func(r *rig) {
			r.painter.submit = refuses(task.Billing, task.NotExecuted)
			r.rival()
			r.start()
			r.same(r.ends(r.asks().ID, task.Failed).ErrorKind, task.Billing)
		}},
		{"Tries are used up before another provider is asked", func(r *rig) {
			r.painter.submit = refuses(task.Unavailable, task.NotExecuted)
			rival := r.rival()
			r.start()
			t := r.asksFor(task.Task{Request: task.Request{Fallbacks: `["rival"]`, MaxAttempts: 3}})
			r.ends(t.ID, task.Completed)
			r.same(facts{"painter.submits": r.painter.submits.Load(), "rival.submits": rival.submits.Load()},
				facts{"painter.submits": int64(3), "rival.submits": int64(1)})
		}},
		{"A call whose outcome is unknown is not bought elsewhere", func(r *rig) { r.noFallback(task.ProviderError, task.Unknown, task.OutcomeUnknown) }},
		{"A failure that does not say whether its call was carried out buys nothing, here or elsewhere", silentFailure},
		{"A call that was carried out is not bought elsewhere", func(r *rig) { r.noFallback(task.ProviderError, task.Executed, task.ProviderError) }},
		{"A refused prompt is not tried elsewhere", func(r *rig) { r.noFallback(task.Moderated, task.NotExecuted, task.Moderated) }},
		{"An earlier call of unknown outcome keeps the task from being bought elsewhere", unknownKeeps},
		{"The second fallback follows the first", secondFallback},
		{"An account that is closed is passed at once, in front of those that have to wait for it", closedPassed},
		{"An account that pauses by itself is waited for", pauseWaited},
	})
}

func refuses(kind task.Kind, executed task.Execution) func(context.Context, provider.Call) (provider.Answer, error) {
	return func(context.Context, provider.Call) (provider.Answer, error) { return fails(kind, executed) }
}

// rival is a second service, which draws.
func (r *rig) rival() *painter { return r.also("rival") }

func (r *rig) also(name string) *painter {
	p := newPainter()
	r.services[name] = &provider.Service{Name: name, DefaultModel: "pen", Concurrency: 5, Accounts: []provider.Account{{Name: "main", Provider: p}}}
	return p
}

func fallsBack(r *rig) {
	r.painter.submit = refuses(task.Billing, task.NotExecuted)
	rival := r.rival()
	r.start()
	t := r.asksFor(task.Task{Request: task.Request{Fallbacks: `["rival:quill:2"]`, Model: "brush"}})
	done := r.ends(t.ID, task.Completed)
	r.same(facts{"Provider": done.Provider, "Model": done.Model, "Fallbacks": done.Fallbacks, "ErrorMsg": done.ErrorMsg, "Delivery": done.Delivery},
		facts{"Provider": "rival", "Model": "quill:2", "Fallbacks": "", "ErrorMsg": "", "Delivery": 0})
	attempts, err := r.tasks.Attempts(r.Context(), t.ID)
	r.check(err)
	r.same(facts{
		"attempts[0].Provider": attempts[0].Provider, "attempts[0].State": attempts[0].State, "ErrorKind": attempts[0].ErrorKind,
		"attempts[1].Provider": attempts[1].Provider, "attempts[1].State": attempts[1].State,
	}, facts{
		"attempts[0].Provider": "painter", "attempts[0].State": task.AttemptRejected, "ErrorKind": task.Billing,
		"attempts[1].Provider": "rival", "attempts[1].State": task.AttemptSucceeded,
	})
	r.same(facts{"painter.submits": r.painter.submits.Load(), "rival.submits": rival.submits.Load()},
		facts{"painter.submits": int64(1), "rival.submits": int64(1)})
}

func (r *rig) noFallback(kind task.Kind, executed task.Execution, want task.Kind) {
	r.Helper()
	r.painter.submit = refuses(kind, executed)
	rival := r.rival()
	r.start()
	t := r.asksFor(task.Task{Request: task.Request{Fallbacks: `["rival"]`}})
	r.same(facts{"ErrorKind": r.ends(t.ID, task.Failed).ErrorKind, "submits": rival.submits.Load()}, facts{"ErrorKind": want, "submits": int64(0)})
}

func silentFailure(r *rig) {
	r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) {
		return provider.Answer{}, &task.Failure{Kind: task.Unavailable, Message: "the adapter has forgotten to say"}
	}
	rival := r.rival()
	r.start()
	t := r.asksFor(task.Task{Request: task.Request{Fallbacks: `["rival"]`}})
	r.same(facts{"ErrorKind": r.ends(t.ID, task.Failed).ErrorKind, "painter.submits": r.painter.submits.Load(), "rival.submits": rival.submits.Load()},
		facts{"ErrorKind": task.OutcomeUnknown, "painter.submits": int64(1), "rival.submits": int64(0)})
}

func unknownKeeps(r *rig) {
	r.painter.can.Recover = true
	rival := r.rival()
	t := r.asksFor(task.Task{Request: task.Request{Fallbacks: `["rival"]`}})
	r.painter.submit = refuses(task.ProviderError, task.Unknown)
	r.start()
	failed := r.ends(t.ID, task.Failed)
	// A person asks the provider again, whose account is closed by now.
	r.painter.recover = func(provider.Lost) (provider.Answer, error) { return fails(task.Billing, task.NotExecuted) }
	r.painter.submit = refuses(task.Billing, task.NotExecuted)
	_, err := r.client.Retry(r.Context(), failed.Seen(), false)
	r.check(err)
	again := r.ends(t.ID, task.Failed)
	if rival.submits.Load() != 0 || again.Provider != "painter" {
		r.Errorf("%d calls were made to the rival while one to %s is unknown", rival.submits.Load(), again.Provider)
	}
}

func secondFallback(r *rig) {
	r.painter.submit = refuses(task.Auth, task.NotExecuted)
	r.rival().submit = refuses(task.Billing, task.NotExecuted)
	third := r.also("third")
	r.start()
	t := r.asksFor(task.Task{Request: task.Request{Fallbacks: `["rival", "third"]`, MaxAttempts: 1}})
	done := r.ends(t.ID, task.Completed)
	r.same(facts{"Provider": done.Provider, "submits": third.submits.Load(), "len states": len(r.states(t.ID))},
		facts{"Provider": "third", "submits": int64(1), "len states": 3})
	_, err := r.client.Enqueue(r.Context(), &task.Task{Request: task.Request{Provider: "painter", Prompt: "x", Fallbacks: `["nobody"]`}})
	if err == nil || !strings.Contains(err.Error(), "fallback nobody cannot do this") {
		r.Errorf("an unknown fallback: %v", err)
	}
}

func closedPassed(r *rig) {
	r.painter.submit = refuses(task.Billing, task.NotExecuted)
	rival := r.rival()
	r.start()
	r.ends(r.asks().ID, task.Failed)
	waits := r.asks() // and stands first in line
	r.passes(time.Second)
	began := time.Now()
	for range 3 {
		done := r.ends(r.asksFor(task.Task{Request: task.Request{Fallbacks: `["rival"]`}}).ID, task.Completed)
		r.same(facts{"Provider": done.Provider, "len states": len(r.states(done.ID))}, facts{"Provider": "rival", "len states": 1})
	}
	if took := time.Since(began); took > 10*time.Second {
		r.Errorf("they waited %s", took)
	}
	r.same(facts{"Status": r.get(waits.ID).Status, "painter.submits": r.painter.submits.Load(), "rival.submits": rival.submits.Load()},
		facts{"Status": task.Pending, "painter.submits": int64(1), "rival.submits": int64(3)})
}

func pauseWaited(r *rig) {
	r.painter.submit = func(context.Context, provider.Call) (provider.Answer, error) {
		if r.painter.submits.Load() == 1 {
			return provider.Answer{}, &task.Failure{Kind: task.RateLimited, Executed: task.NotExecuted, RetryAfter: 20 * time.Second, Message: "too fast"}
		}
		return drawn(pngOf(40, 30)), nil
	}
	rival := r.rival()
	r.start()
	r.asks()
	r.until("the account pauses", func() bool { return r.painter.submits.Load() == 1 })
	r.passes(time.Second)
	r.same(facts{"Provider": r.ends(r.asksFor(task.Task{Request: task.Request{Fallbacks: `["rival"]`}}).ID, task.Completed).Provider, "submits": rival.submits.Load()},
		facts{"Provider": "painter", "submits": int64(0)})
}
