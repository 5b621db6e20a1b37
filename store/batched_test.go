package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/easelqueue/easel/internal/tables"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/store/storetest"
	"github.com/easelqueue/easel/task"
)

func batched(s *store.Store) storetest.Journal { return store.NewBatched(s) }

func TestSQLiteBatched(t *testing.T) {
	t.Parallel()
	storetest.RunJournal(t, sqlite, batched)
}

func TestPostgresBatched(t *testing.T) {
	t.Parallel()
	storetest.RunJournal(t, postgres, batched)
}

func TestPostgresBatchedBehindAPooler(t *testing.T) {
	t.Parallel()
	storetest.RunJournal(t, func(t testing.TB) *store.Store {
		s, _ := pooled(t, tables.Postgres(t))
		return s
	}, batched)
}

func TestBatchedInBadCompany(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(testing.TB) *store.Store{"SQLite": sqlite, "Postgres": postgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.RunJournal(t, open, func(s *store.Store) storetest.Journal { return company{store.NewBatched(s)} })
		})
	}
}

// company makes each call of a journal in one flush with one that is fenced and one that the
// database refuses.
type company struct{ *store.Batched }

const (
	nobody = 1 << 40 // no task and no attempt has this id
	odd    = 1 << 40 // no column of a number of 32 bits takes it
)

func (c company) Claim(ctx context.Context, ref task.Ref, worker string, lease time.Duration) (claim *store.Claim, refusal *store.Refusal, err error) {
	bad := func(r task.Ref) func() { return func() { c.Batched.Claim(ctx, r, worker, lease) } }
	c.Crowd(func() { claim, refusal, err = c.Batched.Claim(ctx, ref, worker, lease) }, bad(task.Ref{Task: nobody}), bad(task.Ref{Task: nobody + 1, Delivery: odd}))
	return claim, refusal, err
}

func (c company) Begin(ctx context.Context, a task.Attempt) (begun task.Attempt, err error) {
	bad := func(a task.Attempt) func() { return func() { c.Batched.Begin(ctx, a) } }
	c.Crowd(func() { begun, err = c.Batched.Begin(ctx, a) }, bad(task.Attempt{TaskID: nobody, Key: "fenced"}), bad(task.Attempt{TaskID: nobody + 1, Images: odd, Key: "odd"}))
	return begun, err
}

func (c company) Record(ctx context.Context, f store.Fact) (changed bool, err error) {
	bad := func(f store.Fact) func() { return func() { c.Batched.Record(ctx, f) } }
	a := task.Attempt{TaskID: nobody, ID: nobody, State: task.AttemptFailed}
	poisoned := a
	poisoned.TaskID, poisoned.HTTPStatus = nobody+1, new(odd)
	c.Crowd(func() { changed, err = c.Batched.Record(ctx, f) }, bad(store.Answered{Attempt: a}), bad(store.AttemptEnded{Attempt: poisoned}),
		bad(store.Accepted{Attempt: task.Attempt{TaskID: nobody + 2, ID: nobody + 2}, JobID: "job"}), bad(store.Progressed{Held: task.Token{Task: nobody + 3}}))
	return changed, err
}

func (c company) Finish(ctx context.Context, e store.Ending) (completed bool, err error) {
	bad := func(e store.Ending) func() { return func() { c.Batched.Finish(ctx, e) } }
	a := task.Attempt{TaskID: nobody, ID: nobody, State: task.AttemptFailed}
	decision := task.Decision{Status: task.Pending, FailedTries: odd, Failure: &task.Failure{Kind: task.Unavailable}}
	c.Crowd(func() { completed, err = c.Batched.Finish(ctx, e) },
		bad(store.Completed{Held: task.Token{Task: nobody}, Attempt: &a, Completion: store.Completion{Results: []task.Result{{Width: odd}}}}),
		bad(store.Decided{Held: task.Token{Task: nobody + 1}, Attempt: &a, Decision: decision}),
		bad(store.Decided{Held: task.Token{Task: nobody + 2}, Decision: task.Decision{Status: task.Pending, Failure: decision.Failure}}))
	return completed, err
}

func (c company) Release(ctx context.Context, held task.Token, after time.Duration, reason string) (err error) {
	bad := func(id int64, reason string) func() {
		return func() { c.Batched.Release(ctx, task.Token{Task: id}, 0, reason) }
	}
	c.Crowd(func() { err = c.Batched.Release(ctx, held, after, reason) }, bad(nobody, ""), bad(nobody+1, "why"))
	return err
}

// life is what is done with one task. It returns what each call has returned, without ids and times.
type life func(ctx context.Context, j storetest.Journal, t *task.Task, stage func(func())) []any

// lives are those of tasks of every kind; stage runs each call with those of other lives.
func lives() map[string]life {
	called := func(ctx context.Context, j storetest.Journal, t *task.Task, stage func(func()), said *[]any) (task.Token, task.Attempt) {
		var c *store.Claim
		var a task.Attempt
		var err error
		stage(func() { c, _, err = j.Claim(ctx, t.Ref(), "first", time.Minute) })
		*said = append(*said, c != nil, err)
		if c == nil {
			return task.Token{}, a
		}
		one := c.Task.NewAttempt("key of " + t.Prompt)
		one.Provider, one.Account, one.Images = "painter", "main", 1
		stage(func() { a, err = j.Begin(ctx, one) })
		*said = append(*said, a.Number, err)
		return c.Task.Token(), a
	}
	all := map[string]life{}
	all["released"] = func(ctx context.Context, j storetest.Journal, t *task.Task, stage func(func())) (said []any) {
		held, _ := called(ctx, j, t, stage, &said)
		stage(func() { said = append(said, j.Release(ctx, held, time.Hour, t.Prompt)) })
		stage(func() { said = append(said, j.Release(ctx, held, time.Hour, "fenced")) })
		return said
	}
	all["completed"] = func(ctx context.Context, j storetest.Journal, t *task.Task, stage func(func())) (said []any) {
		held, a := called(ctx, j, t, stage, &said)
		a.Answer, a.CostMicros, a.Currency = `{"outputs":[{"url":"https://x/?sig=<secret>"}],"v":1}`, new(int64(40)), "USD"
		for _, f := range []store.Fact{store.Progressed{Held: held, Percent: 30}, store.Answered{Held: held, Attempt: a}, store.Answered{Held: held, Attempt: a}} {
			stage(func() { said = append(said, fmt.Sprint(j.Record(ctx, f))) })
		}
		a.ErrorMsg = "a note \\ \" <画>"
		o := store.Completion{Results: []task.Result{{GeneratedImageURL: "u", ContentType: "image/png", Width: 3, SHA256: "ab", StorageKey: "k", Seed: new(int64(7)), LocalPath: "/l"},
			{Position: 1, GeneratedImageURL: "u2", StorageKey: "k2"}}, APIResponse: "reply", Warning: t.Prompt}
		for range 2 {
			stage(func() {
				said = append(said, fmt.Sprint(j.Finish(ctx, store.Completed{Held: held, Attempt: &a, Completion: o})))
			})
		}
		return said
	}
	for name, d := range map[string]task.Decision{
		"failed":  {Status: task.Failed, FailedTries: 2, Failure: &task.Failure{Kind: task.Moderated, Executed: task.Executed, Message: "no", Code: "E1"}},
		"pending": {Status: task.Pending, Delay: time.Hour, Waits: 3, Failure: &task.Failure{Kind: task.RateLimited, Message: "slow"}},
	} {
		all[name] = func(ctx context.Context, j storetest.Journal, t *task.Task, stage func(func())) (said []any) {
			held, a := called(ctx, j, t, stage, &said)
			a.Handle, a.HTTPStatus = `{"id":1}`, new(202)
			stage(func() {
				said = append(said, fmt.Sprint(j.Record(ctx, store.Accepted{Held: held, Attempt: a, JobID: "job-1"})))
			})
			a.State, a.ErrorKind, a.ErrorMsg, a.CostMicros, a.Currency = task.AttemptFailed, d.Failure.Kind, "no", new(int64(5)), "USD"
			e := store.Decided{Held: held, Decision: d, Attempt: &a}
			if name == "pending" { // its call is ended before
				stage(func() { said = append(said, fmt.Sprint(j.Record(ctx, store.AttemptEnded{Attempt: a}))) })
				e.Attempt = nil
			}
			stage(func() { said = append(said, fmt.Sprint(j.Finish(ctx, e))) })
			return said
		}
	}
	return all
}

// lived is what a database holds of a task after its life, without ids and times.
type lived struct {
	Said     []any
	Task     *task.Task
	Attempts []task.Attempt
	Results  []task.Result
}

// liveAll inserts tasks and has them live, each call of all at the same time.
func liveAll(t *testing.T, s *store.Store, j storetest.Journal, crowd func(calls ...func())) map[string]lived {
	t.Helper()
	const each = 12
	all := make(map[string]lived)
	stages := make(chan func())
	var mu sync.Mutex
	var living sync.WaitGroup
	for name, live := range lives() {
		for i, tk := range boats(t, s, each) {
			tk.Prompt = fmt.Sprint(name, " ", i)
			living.Go(func() {
				said := live(t.Context(), j, tk, func(call func()) {
					done := make(chan struct{})
					stages <- func() { call(); close(done) }
					<-done
				})
				got := read(t, s, tk.ID)
				got.Said = said
				mu.Lock()
				defer mu.Unlock()
				all[tk.Prompt] = got
			})
		}
	}
	ended := make(chan struct{})
	go func() { living.Wait(); close(ended) }()
	for {
		var calls []func()
		for more := true; more; {
			select {
			case call := <-stages:
				calls = append(calls, call)
			case <-ended:
				return all
			case <-time.After(20 * time.Millisecond): // those that go on have come
				more = len(calls) == 0
			}
		}
		crowd(calls...)
	}
}

func read(t *testing.T, s *store.Store, id int64) lived {
	t.Helper()
	tk, err := s.Get(t.Context(), id)
	must(t, err)
	attempts, err := s.Attempts(t.Context(), id)
	must(t, err)
	results, err := s.Results(t.Context(), id)
	must(t, err)
	tk.ID, tk.Prompt, tk.AnswerResultID = 0, "", nil
	for i := range attempts {
		attempts[i].ID, attempts[i].TaskID = 0, 0
	}
	for i := range results {
		results[i].ID, results[i].TaskID, results[i].AttemptID = 0, 0, 0
	}
	return lived{nil, tk, attempts, results}
}

func TestManyLiveAsOneDoes(t *testing.T) {
	t.Parallel()
	alike := cmp.Options{cmp.Transformer("set", func(at time.Time) bool { return !at.IsZero() }),
		cmp.Transformer("text", func(err error) string { return fmt.Sprint(err) })}
	for name, open := range map[string]func(testing.TB) *store.Store{"SQLite": sqlite, "Postgres": postgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			direct := open(t)
			want := liveAll(t, direct, direct, func(calls ...func()) {
				for _, call := range calls {
					call()
				}
			})
			s := open(t)
			b := store.NewBatched(s)
			var mu sync.Mutex
			largest, alone := make(map[string]int), make(map[string]int)
			b.Watch(func(f store.Flush) {
				mu.Lock()
				defer mu.Unlock()
				if f.Err != nil {
					t.Errorf("%+v", f)
				}
				largest[f.Kind], alone[f.Kind] = max(largest[f.Kind], f.Rows), alone[f.Kind]+f.Alone
			})
			got := liveAll(t, s, b, b.Crowd)
			if diff := cmp.Diff(want, got, alike); diff != "" {
				t.Errorf("one by one (-), together (+):\n%s", diff)
			}
			for kind, rows := range largest {
				if rows < 10 {
					t.Errorf("the largest flush of %s has %d rows", kind, rows)
				}
			}
			// By itself goes only what is not the caller's any more, or changes nothing.
			if may := map[string]int{"Record": 12, "Finish": 12, "Release": 12}; name == "Postgres" && !cmp.Equal(alone, map[string]int{"Claim": 0, "Begin": 0, "Record": 12, "Finish": 12, "Release": 12}) {
				t.Errorf("by themselves went %v, and not %v", alone, may)
			}
		})
	}
}

func TestOneTaskOfAFlushIsLocked(t *testing.T) {
	t.Parallel()
	s := postgres(t)
	b := store.NewBatched(s)
	tasks := boats(t, s, 6)
	app, err := s.DB().Begin()
	must(t, err)
	defer app.Rollback()
	lock := func(table, column string, id int64) {
		_, err := app.Exec("UPDATE "+table+" SET "+column+" = "+column+" WHERE id = $1", id)
		must(t, err)
	}
	lock("image_generations", "metadata", tasks[0].ID)
	var claims []*store.Claim
	for i, tk := range tasks {
		soon(t, "the claim", func(ctx context.Context) error {
			c, refusal, err := b.Claim(ctx, tk.Ref(), "first", time.Minute)
			if (i == 0) != (refusal != nil && refusal.Locked) {
				t.Errorf("claim %d: %v, %+v", i, c, refusal)
			}
			claims = append(claims, c)
			return err
		})
	}
	lock("image_generations", "metadata", tasks[1].ID)
	short, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	begun, errs := make([]task.Attempt, 6), make([]error, 6)
	var calls []func()
	for i := 1; i < 6; i++ {
		calls = append(calls, func() {
			ctx := t.Context()
			if i == 1 {
				ctx = short
			}
			begun[i], errs[i] = b.Begin(ctx, claims[i].Task.NewAttempt(fmt.Sprint("key ", i)))
		})
	}
	b.Crowd(calls...)
	for i, err := range errs {
		if (i == 1) != errors.As(err, new(*store.Locked)) || i > 1 && err != nil {
			t.Errorf("begin %d: %v", i, err)
		}
	}
	lock("generation_attempt", "worker", begun[2].ID)
	calls = nil
	for i := 2; i < 6; i++ {
		calls = append(calls, func() {
			ctx := t.Context()
			if i == 2 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, 300*time.Millisecond)
				defer cancel()
			}
			results := []task.Result{{GeneratedImageURL: "u", StorageKey: "k"}}
			_, errs[i] = b.Finish(ctx, store.Completed{Held: claims[i].Task.Token(), Attempt: &begun[i], Completion: store.Completion{Results: results}})
		})
	}
	b.Crowd(calls...)
	for i, err := range errs {
		if (i <= 2 && i > 0) != (err != nil) {
			t.Errorf("finish %d: %v", i, err)
		}
	}
}

func TestACallThatWasLeftIsNotOvertaken(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(testing.TB) *store.Store{"SQLite": sqlite, "Postgres": postgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			b := store.NewBatched(s)
			both := boats(t, s, 2)
			first, second := claimed(t, s, both[0]), claimed(t, s, both[1])
			writing, goOn := make(chan struct{}, 1), make(chan struct{})
			b.Delay(func() { writing <- struct{}{}; <-goOn })
			ctx, leave := context.WithCancel(t.Context())
			var begins sync.WaitGroup
			gone := make(chan struct{})
			begins.Go(func() {
				b.Crowd(func() {
					if _, err := b.Begin(ctx, first.NewAttempt("left")); !errors.Is(err, context.Canceled) {
						t.Error(err)
					}
					close(gone)
				}, func() {
					if _, err := b.Begin(t.Context(), second.NewAttempt("stays")); err != nil {
						t.Error(err)
					}
				})
			})
			<-writing
			leave()
			<-gone
			known := make(chan struct{})
			begins.Go(func() {
				defer close(known)
				if changed, err := b.Record(t.Context(), store.NotSent{Task: first.ID, Key: "left"}); err != nil || !changed {
					t.Errorf("the call that was begun is not seen: %v", err)
				}
			})
			select {
			case <-known:
				t.Error("it is known before the end of the flush")
			case <-time.After(100 * time.Millisecond):
			}
			close(goOn)
			begins.Wait()
			if a, err := s.AttemptByKey(t.Context(), "left"); err != nil || a.State != task.AttemptRejected {
				t.Errorf("%+v, %v", a, err)
			}
		})
	}
}

// TestFlushesVisitFewRows is TestRowsVisitedAreBoundedWhateverTheStatistics for flushes.
func TestFlushesVisitFewRows(t *testing.T) {
	t.Parallel()
	e := crowd(t, "INSERT INTO image_generations (provider, prompt) SELECT 'painter', 'a boat' FROM generate_series(1, 1000)")
	b := store.NewBatched(e.Store)
	const n = 200
	claims, begun := make([]*store.Claim, n), make([]task.Attempt, n)
	each := func(name string, from, to int, call func(i int) error) {
		t.Helper()
		ran := e.during(func() {
			var calls []func()
			for i := from; i < to; i++ {
				calls = append(calls, func() {
					if err := call(i); err != nil {
						t.Errorf("%s: %v", name, err)
					}
				})
			}
			b.Crowd(calls...)
		})
		if len(ran) == 0 || len(ran) > 6 {
			t.Errorf("%s takes %d statements", name, len(ran))
		}
		for _, s := range ran {
			if bound := float64(40*(to-from) + 1000); s.Plan.visited() > bound {
				t.Errorf("%s of %d visits %.0f:\n%s\n%+v", name, to-from, s.Plan.visited(), s.Text[:min(len(s.Text), 500)], s.Plan)
			}
		}
	}
	each("Claim", 0, n, func(i int) (err error) {
		claims[i], _, err = b.Claim(t.Context(), task.Ref{Task: int64(60_001 + i)}, "first", time.Minute)
		return err
	})
	each("Begin", 0, n, func(i int) (err error) {
		begun[i], err = b.Begin(t.Context(), claims[i].Task.NewAttempt(fmt.Sprint("flush ", i)))
		return err
	})
	each("Accepted", 0, n, func(i int) error {
		return tables.Err(b.Record(t.Context(), store.Accepted{Held: claims[i].Task.Token(), Attempt: begun[i], JobID: "job"}))
	})
	each("Progressed", 0, n, func(i int) error {
		return tables.Err(b.Record(t.Context(), store.Progressed{Held: claims[i].Task.Token(), Percent: 9}))
	})
	each("AttemptEnded", n/2, n, func(i int) error {
		begun[i].State = task.AttemptFailed
		return tables.Err(b.Record(t.Context(), store.AttemptEnded{Attempt: begun[i]}))
	})
	each("Answered", 0, n/2, func(i int) error {
		begun[i].Answer = `{"url":"https://x/?s"}`
		return tables.Err(b.Record(t.Context(), store.Answered{Held: claims[i].Task.Token(), Attempt: begun[i]}))
	})
	each("Completed", 0, n/2, func(i int) error {
		return tables.Err(b.Finish(t.Context(), store.Completed{Held: claims[i].Task.Token(), Attempt: &begun[i], Completion: store.Completion{Results: []task.Result{{StorageKey: "k"}}}}))
	})
	each("Decided", n/2, 3*n/4, func(i int) error {
		begun[i].CostMicros = new(int64(1))
		d := task.Decision{Status: task.Failed, Failure: &task.Failure{Kind: task.Moderated, Message: "no"}}
		return tables.Err(b.Finish(t.Context(), store.Decided{Held: claims[i].Task.Token(), Attempt: &begun[i], Decision: d}))
	})
	each("Release", 3*n/4, n, func(i int) error { return b.Release(t.Context(), claims[i].Task.Token(), 0, "why") })
}
