package worker_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"net/http/httptest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/easelqueue/easel/queue"
	"github.com/easelqueue/easel/task"
)

func (r *rig) check(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// facts are values by their names, so that a failure names those that differ.
type facts map[string]any

func (r *rig) same(got, want any) {
	r.Helper()
	if d := cmp.Diff(want, got); d != "" {
		r.Errorf("want (-), got (+):\n%s", d)
	}
}

// until waits for something to hold.
func (r *rig) until(what string, holds func() bool) {
	r.Helper()
	tick := time.NewTicker(r.every / 2)
	defer tick.Stop()
	limit := time.NewTimer(r.patience)
	defer limit.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-limit.C:
			r.Fatalf("in vain: %s", what)
		}
	}
}

// passes lets time go by, for claims that something does not happen; real time
// is too dear to wait for all of it.
func (r *rig) passes(d time.Duration) {
	if r.real {
		d = min(d, 10*r.every)
	}
	<-time.After(d)
}

// heard returns what c gives.
func heard[T any](r *rig, what string, c <-chan T) T {
	r.Helper()
	limit := time.NewTimer(r.patience)
	defer limit.Stop()
	select {
	case v := <-c:
		return v
	case <-limit.C:
		r.Fatalf("in vain: %s", what)
		panic("unreachable")
	}
}

// asks enqueues a task that asks for one picture.
func (r *rig) asks() *task.Task {
	r.Helper()
	return r.asksFor(task.Task{})
}

func (r *rig) asksFor(t task.Task) *task.Task {
	r.Helper()
	if t.Prompt == "" {
		t.Prompt = "a lighthouse"
	}
	t.Provider = "painter"
	_, err := r.client.Enqueue(r.Context(), &t)
	r.check(err)
	return &t
}

// exec runs SQL as somebody else's program would.
func (r *rig) exec(query string) sql.Result {
	r.Helper()
	res, err := r.tasks.DB().ExecContext(r.Context(), query)
	if err != nil {
		r.Fatalf("%s: %v", query, err)
	}
	return res
}

func (r *rig) get(id int64) *task.Task {
	r.Helper()
	t, err := r.tasks.Get(r.Context(), id)
	r.check(err)
	return t
}

// ends waits until the task has the status.
func (r *rig) ends(id int64, s task.Status) *task.Task {
	r.Helper()
	r.until(fmt.Sprintf("task %d is %s", id, s), func() bool {
		t := r.get(id)
		if t.Status.Final() && t.Status != s {
			r.Fatalf("task %d is %s and not %s: %s", id, t.Status, s, t.ErrorMsg)
		}
		return t.Status == s
	})
	return r.get(id)
}

// states are the states of the task's attempts.
func (r *rig) states(id int64) []task.AttemptState {
	r.Helper()
	var states []task.AttemptState
	for _, a := range r.attempts(id) {
		states = append(states, a.State)
	}
	return states
}

func (r *rig) attempts(id int64) []task.Attempt {
	r.Helper()
	all, err := r.tasks.Attempts(r.Context(), id)
	r.check(err)
	return all
}

func (r *rig) results(id int64) []task.Result {
	r.Helper()
	all, err := r.tasks.Results(r.Context(), id)
	r.check(err)
	return all
}

// in waits until the delivery is in the state.
func (r *rig) in(ref task.Ref, s queue.State) {
	r.Helper()
	var last queue.State
	r.until(fmt.Sprintf("delivery %s is %s", ref, s), func() bool {
		last = r.where(ref)
		return last == s
	})
}

func (r *rig) where(ref task.Ref) queue.State {
	r.Helper()
	states, err := r.queue.States(r.Context(), []queue.Delivery{{Ref: ref, Provider: "painter"}})
	r.check(err)
	return states[0]
}

// dashboard presses a button of asynqmon.
func (r *rig) dashboard(method, path string) string {
	r.Helper()
	h, err := r.queue.Dashboard("/queues", false)
	r.check(err)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, "/queues/api/queues/painter/"+path, nil))
	if w.Code >= 300 {
		r.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	return w.Body.String()
}

// stored returns the bytes of a picture in our storage.
func (r *rig) stored(key string) []byte {
	r.Helper()
	f, err := r.pictures.Open(r.Context(), key)
	r.check(err)
	defer f.Close()
	var b bytes.Buffer
	_, err = b.ReadFrom(f)
	r.check(err)
	return b.Bytes()
}
