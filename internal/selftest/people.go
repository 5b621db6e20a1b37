package selftest

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/easelqueue/easel/check"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// told is what a client was told, with the task's tag still to be looked up.
type told = check.Told

func (r *run) tell(t told) {
	t.At = check.When{Time: time.Now()}
	if t.Began.IsZero() {
		t.Began = t.At
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told = append(r.told, t)
}

// people retries a failed task now and then, and cancels an unfinished one.
func (r *run) people(ctx context.Context) error {
	rnd := rand.New(rand.NewPCG(r.Seed, 4))
	for ctx.Err() == nil {
		sleep(ctx, time.Duration(2000+rnd.IntN(4000))*time.Millisecond)
		if rnd.IntN(4) == 0 {
			r.cancelOne(ctx, rnd)
		} else {
			r.retryOne(ctx, rnd)
		}
	}
	return nil
}

// one returns some task of these statuses, or nil.
func (r *run) one(ctx context.Context, rnd *rand.Rand, statuses ...task.Status) *task.Task {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	all, err := r.tasks.List(ctx, store.Filter{Statuses: statuses, Limit: 100})
	all = slices.DeleteFunc(all, func(t task.Task) bool { return t.Prompt == flood })
	if err != nil || len(all) == 0 {
		return nil
	}
	return &all[rnd.IntN(len(all))]
}

func (r *run) retryOne(ctx context.Context, rnd *rand.Rand) {
	t := r.one(ctx, rnd, task.Failed)
	if t == nil {
		return
	}
	asked, notCharged := told{Began: check.When{Time: time.Now()}, Task: t.ID, Tag: tagOf(t.Prompt), Door: "library"}, rnd.IntN(3) == 0
	if notCharged {
		asked.Detail = "not_charged"
	}
	acting, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	_, err := r.client.Retry(acting, t.Seen(), notCharged)
	var not *store.NotAllowed
	switch {
	case err == nil:
		asked.Event = "retry"
	case errors.As(err, &not), errors.Is(err, store.ErrNotFound):
		return
	default:
		asked.Event = "retry_lost"
	}
	r.tell(asked)
}

func (r *run) cancelOne(ctx context.Context, rnd *rand.Rand) {
	t := r.one(ctx, rnd, task.Pending, task.Processing)
	if t == nil {
		return
	}
	began := check.When{Time: time.Now()}
	acting, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if _, err := r.client.Cancel(acting, t.Seen()); err == nil {
		r.tell(told{Began: began, Event: "cancel", Task: t.ID, Tag: tagOf(t.Prompt), Door: "library"})
	}
}

// observe notes every final status that a client could see.
func (r *run) observe(ctx context.Context) error {
	seen := make(map[int64]task.Status)
	for ctx.Err() == nil {
		sleep(ctx, 5*time.Second)
		looking, cancel := context.WithTimeout(ctx, 5*time.Second)
		all, err := r.tasks.List(looking, store.Filter{Limit: store.MaxPage})
		cancel()
		if err != nil {
			continue
		}
		for i := range all {
			if t := &all[i]; seen[t.ID] != t.Status && t.Prompt != flood {
				seen[t.ID] = t.Status
				r.tell(told{Event: "seen", Task: t.ID, Tag: tagOf(t.Prompt), Detail: string(t.Status)})
			}
		}
	}
	return nil
}

// tagOf is the first word of a prompt, by which the books know a task.
func tagOf(prompt string) string {
	tag, _, _ := strings.Cut(prompt, " ")
	return tag
}
