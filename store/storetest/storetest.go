// Package storetest holds what store.Store must do on every database. A
// behaviour that was wrong on one of them becomes a claim here for all.
package storetest

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

type claim struct {
	name string
	hold func(b *bench)
}

// Journal is how steps write: a store does, and a store.Batched.
type Journal interface {
	Claim(ctx context.Context, ref task.Ref, worker string, lease time.Duration) (*store.Claim, *store.Refusal, error)
	Begin(ctx context.Context, a task.Attempt) (task.Attempt, error)
	Record(ctx context.Context, f store.Fact) (changed bool, err error)
	Finish(ctx context.Context, e store.Ending) (completed bool, err error)
	Release(ctx context.Context, held task.Token, after time.Duration, reason string) error
}

// journalled is a store whose steps write through a journal.
type journalled struct {
	*store.Store
	journal Journal
}

func (j *journalled) Claim(ctx context.Context, ref task.Ref, worker string, lease time.Duration) (*store.Claim, *store.Refusal, error) {
	return j.journal.Claim(ctx, ref, worker, lease)
}

func (j *journalled) Begin(ctx context.Context, a task.Attempt) (task.Attempt, error) {
	return j.journal.Begin(ctx, a)
}

func (j *journalled) Record(ctx context.Context, f store.Fact) (bool, error) {
	return j.journal.Record(ctx, f)
}

func (j *journalled) Finish(ctx context.Context, e store.Ending) (bool, error) {
	return j.journal.Finish(ctx, e)
}

func (j *journalled) Release(ctx context.Context, held task.Token, after time.Duration, reason string) error {
	return j.journal.Release(ctx, held, after, reason)
}

// Run holds the store that open returns to its contract. open is called once and
// returns a store with easel's tables; all its rows are deleted before each claim.
func Run(t *testing.T, open func(t testing.TB) *store.Store) {
	RunJournal(t, open, func(s *store.Store) Journal { return s })
}

// RunJournal is Run with steps that write through the journal that over returns.
func RunJournal(t *testing.T, open func(t testing.TB) *store.Store, over func(*store.Store) Journal) {
	groups := []struct {
		name   string
		claims []claim
	}{
		{"Insert", inserting()}, {"Key", keys()}, {"Claim", claiming()}, {"Fence", fencing()}, {"Journal", journal()},
		{"Save", saving()}, {"Batch", batches()}, {"Late", learning()}, {"Collect", collecting()}, {"Paid", paying()}, {"Files", files()}, {"Fail", failing()}, {"Advice", advising()},
		{"Person", person()}, {"Publish", publishing()}, {"App", apps()}, {"Worker", workers()}, {"Read", reading()}, {"Machine", machines()},
	}
	s := open(t)
	j := &journalled{s, over(s)}
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			for _, c := range g.claims {
				t.Run(c.name, func(t *testing.T) {
					b := &bench{T: t, store: j}
					b.clear()
					c.hold(b)
				})
			}
		})
	}
}

// lease is longer than any claim takes; gone is one that is over already.
const (
	lease = time.Minute
	gone  = -time.Second
)

// bench is a test with a store that holds no rows at its start.
type bench struct {
	*testing.T
	store *journalled
}

func (b *bench) clear() {
	b.Helper()
	for _, table := range []string{"image_generations", "easel_worker", "photo"} {
		b.exec("DELETE FROM %s", table)
	}
}

func (b *bench) check(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// facts are values by their names, so that a failure names those that differ.
type facts map[string]any

func (b *bench) same(got, want any) {
	b.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		b.Errorf("wanted (-), got (+):\n%s", diff)
	}
}

// near checks a time that the database set: delay from now, give or take.
func (b *bench) near(got time.Time, delay time.Duration) {
	b.Helper()
	now, err := b.store.Now(b.Context())
	b.check(err)
	if off := got.Sub(now.Add(delay)); off.Abs() > 30*time.Second {
		b.Errorf("%v is %v away from now and %v", got, off, delay)
	}
}

func (b *bench) exec(format string, args ...any) {
	b.Helper()
	_, err := b.store.DB().ExecContext(b.Context(), fmt.Sprintf(format, args...))
	b.check(err)
}

func (b *bench) number(format string, args ...any) (n int64) {
	b.Helper()
	b.check(b.store.DB().QueryRowContext(b.Context(), fmt.Sprintf(format, args...)).Scan(&n))
	return n
}

// insert stores t, with a provider and a prompt if it has none.
func (b *bench) insert(t task.Task) *task.Task {
	b.Helper()
	if t.Provider == "" {
		t.Provider = "painter"
	}
	if t.Prompt == "" {
		t.Prompt = "a boat"
	}
	_, err := b.store.Insert(b.Context(), []*task.Task{&t})
	b.check(err)
	return &t
}

func (b *bench) insertMany(n int) []*task.Task {
	b.Helper()
	tasks := make([]*task.Task, n)
	for i := range tasks {
		tasks[i] = &task.Task{Request: task.Request{Provider: "painter", Prompt: fmt.Sprintf("boat %d", i)}}
	}
	_, err := b.store.Insert(b.Context(), tasks)
	b.check(err)
	return tasks
}

// take claims the delivery, which must be free.
func (b *bench) take(ref task.Ref, worker string, lease time.Duration) *store.Claim {
	b.Helper()
	c, refusal, err := b.store.Claim(b.Context(), ref, worker, lease)
	b.check(err)
	if c == nil {
		b.Fatalf("task %s was refused: %+v", ref, refusal)
	}
	return c
}

// refused claims the delivery, which must not be free.
func (b *bench) refused(ref task.Ref) *store.Refusal {
	b.Helper()
	c, refusal, err := b.store.Claim(b.Context(), ref, "refused", lease)
	b.check(err)
	if c != nil {
		b.Fatalf("task %s was claimed: %+v", ref, c.Task)
	}
	return refusal
}

// held is a new task that worker "first" has claimed.
func (b *bench) held() *task.Task {
	b.Helper()
	return b.take(b.insert(task.Task{}).Ref(), "first", lease).Task
}

func (b *bench) begin(t *task.Task) *task.Attempt {
	b.Helper()
	a := &task.Attempt{Key: rand.Text(), Provider: t.Provider, Account: "main"}
	b.check(b.beginAs(t, a))
	return a
}

// beginAs begins a with the rest of what a call of t is, and fills in what Begin returns.
func (b *bench) beginAs(t *task.Task, a *task.Attempt) error {
	one := t.NewAttempt(a.Key)
	one.Provider, one.Account, one.Endpoint, one.RequestHash, one.Images = a.Provider, a.Account, a.Endpoint, a.RequestHash, a.Images
	begun, err := b.store.Begin(b.Context(), one)
	*a = begun
	return err
}

func (b *bench) record(f store.Fact) error {
	_, err := b.store.Record(b.Context(), f)
	return err
}

func (b *bench) finish(e store.Ending) error {
	_, err := b.store.Finish(b.Context(), e)
	return err
}

func (b *bench) history(id int64) *task.History {
	b.Helper()
	h, err := b.store.History(b.Context(), id)
	b.check(err)
	return h
}

func (b *bench) get(id int64) *task.Task {
	b.Helper()
	t, err := b.store.Get(b.Context(), id)
	b.check(err)
	return t
}

func (b *bench) attempts(id int64) []task.Attempt {
	b.Helper()
	all, err := b.store.Attempts(b.Context(), id)
	b.check(err)
	return all
}

func (b *bench) results(id int64) []task.Result {
	b.Helper()
	all, err := b.store.Results(b.Context(), id)
	b.check(err)
	return all
}

// unchanged runs f and checks that nothing of the task is different afterwards.
func (b *bench) unchanged(id int64, f func()) {
	b.Helper()
	t, attempts, results := b.get(id), b.attempts(id), b.results(id)
	f()
	b.same(b.get(id), t)
	b.same(b.attempts(id), attempts)
	b.same(b.results(id), results)
}

// together runs f n times at once and waits for all.
func together(n int, f func(i int)) {
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	all.Wait()
}

func ptr[T any](v T) *T { return &v }

// withRaw is a with these raw files.
func withRaw(a *task.Attempt, all []task.RawFile) task.Attempt {
	raw := *a
	if err := raw.SetRawFiles(all); err != nil {
		panic(err)
	}
	return raw
}
