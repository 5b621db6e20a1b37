package web

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/easelqueue/easel/enqueue"
	"github.com/easelqueue/easel/internal/tables"
	"github.com/easelqueue/easel/picture/dir"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// bench is a site on a database and a picture folder of its own.
type bench struct {
	*testing.T
	store    *store.Store
	pictures *dir.Store
	site     *Site
	log      bytes.Buffer
}

func newBench(t *testing.T) *bench {
	t.Helper()
	s, err := store.Open(t.Context(), tables.SQLite(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	pictures, err := dir.New(t.TempDir(), "http://localhost/pictures")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pictures.Close() })
	b := &bench{T: t, store: s, pictures: pictures}
	b.site = &Site{Tasks: s, Actions: &enqueue.Client{Tasks: s}, Log: zerolog.New(&b.log)}
	return b
}

// with is the same bench for a subtest.
func (b *bench) with(t *testing.T) *bench {
	return &bench{T: t, store: b.store, pictures: b.pictures, site: b.site}
}

func (b *bench) check(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// exec changes rows behind easel's back, as an app with SQL does.
func (b *bench) exec(query string, args ...any) {
	b.Helper()
	_, err := b.store.DB().ExecContext(b.Context(), query, args...)
	b.check(err)
}

// add stores a task; an empty provider is "sketch", an empty prompt "a fox".
func (b *bench) add(t task.Task) *task.Task {
	b.Helper()
	if t.Provider == "" {
		t.Provider = "sketch"
	}
	if t.Prompt == "" {
		t.Prompt = "a fox"
	}
	_, err := b.store.Insert(b.Context(), []*task.Task{&t})
	b.check(err)
	return &t
}

// addMany stores n tasks that wait.
func (b *bench) addMany(n int) {
	b.Helper()
	list := make([]*task.Task, n)
	for i := range list {
		list[i] = &task.Task{Request: task.Request{Provider: "sketch", Prompt: "a fox"}}
	}
	_, err := b.store.Insert(b.Context(), list)
	b.check(err)
}

// begin has a worker claim the task and open an attempt.
func (b *bench) begin(t *task.Task) (*task.Task, *task.Attempt) {
	b.Helper()
	claim, refusal, err := b.store.Claim(b.Context(), t.Ref(), "worker-1", time.Minute)
	b.check(err)
	if refusal != nil {
		b.Fatalf("task %d was not claimed: %+v", t.ID, refusal)
	}
	a := &task.Attempt{Key: fmt.Sprintf("key-%d-%d", t.ID, claim.Task.Fence), Provider: t.Provider, Account: "main"}
	b.check(tables.Begin(b.Context(), b.store, claim.Task, a))
	return claim.Task, a
}

// fail ends a task as failed, with an attempt that tells of it.
func (b *bench) fail(t *task.Task, kind task.Kind, message string) *task.Task {
	b.Helper()
	held, a := b.begin(t)
	a.State, a.ErrorKind, a.ErrorMsg = task.AttemptFailed, kind, message
	if kind == task.OutcomeUnknown {
		a.State = task.AttemptUnknown
	}
	b.check(tables.Err(b.store.Finish(b.Context(), store.Decided{Held: held.Token(), Decision: task.Decision{Status: task.Failed, FailedTries: 1, Failure: &task.Failure{Kind: kind, Executed: task.NotExecuted, Message: message}}, Attempt: a})))
	return held
}

// draw completes a task with one picture that is in the folder.
func (b *bench) draw(t *task.Task, change func(*task.Attempt, *task.Result)) {
	b.Helper()
	held, a := b.begin(t)
	key := fmt.Sprintf("%d/%d-0.png", t.ID, a.Number)
	b.check(b.pictures.Put(b.Context(), key, strings.NewReader("bytes of "+key), "image/png"))
	a.State = task.AttemptAnswered
	r := task.Result{AttemptID: a.ID, GeneratedImageURL: "http://localhost/pictures/" + key, ContentType: "image/png",
		FileSize: 1500, Width: 640, Height: 480, SHA256: "c0ffee", StorageKey: key}
	if change != nil {
		change(a, &r)
	}
	b.check(tables.Err(b.store.Record(b.Context(), store.Answered{Held: held.Token(), Attempt: *a})))
	b.check(tables.Err(b.store.Finish(b.Context(), store.Completed{Held: held.Token(), Attempt: a, Completion: store.Completion{Results: []task.Result{r}}})))
}

// late keeps a picture that came after its task was taken away.
func (b *bench) late(a *task.Attempt, r task.Result) {
	b.Helper()
	_, err := b.store.Finish(b.Context(), store.CameLate{Attempt: *a, Completion: store.Completion{Results: []task.Result{r}}})
	b.check(err)
}

// seen is a form about a task as it stands now, with what else it says.
func (b *bench) seen(id int64, form url.Values) url.Values {
	b.Helper()
	seen := task.Seen{Status: task.Failed}
	if t, err := b.store.Get(b.Context(), id); err == nil {
		seen = t.Seen()
	}
	if form == nil {
		form = url.Values{}
	}
	form.Set("delivery", fmt.Sprint(seen.Delivery))
	form.Set("fence", fmt.Sprint(seen.Fence))
	form.Set("status", string(seen.Status))
	return form
}

func (b *bench) status(id int64) task.Status {
	b.Helper()
	t, err := b.store.Get(b.Context(), id)
	b.check(err)
	return t.Status
}

func (b *bench) do(r *http.Request) *httptest.ResponseRecorder {
	b.Helper()
	w := httptest.NewRecorder()
	b.site.Handler().ServeHTTP(w, r)
	return w
}

// get returns the page at path, which must be there.
func (b *bench) get(path string) string {
	b.Helper()
	w := b.do(httptest.NewRequest("GET", path, nil))
	if w.Code != http.StatusOK {
		b.Fatalf("GET %s: %d\n%s", path, w.Code, w.Body)
	}
	return w.Body.String()
}

func (b *bench) post(path string, form url.Values) *httptest.ResponseRecorder {
	b.Helper()
	return b.do(postOf(path, form))
}

func postOf(path string, form url.Values) *http.Request {
	r := httptest.NewRequest("POST", path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

func storyPath(id int64) string { return fmt.Sprintf("/tasks/%d", id) }

// has checks that page holds all of texts.
func (b *bench) has(page string, texts ...string) {
	b.Helper()
	for _, text := range texts {
		if !strings.Contains(page, text) {
			b.Errorf("the page does not hold %q", text)
		}
	}
	if b.Failed() {
		b.Log(page)
	}
}

func (b *bench) hasNot(page string, texts ...string) {
	b.Helper()
	for _, text := range texts {
		if strings.Contains(page, text) {
			b.Errorf("the page holds %q", text)
		}
	}
}

func (b *bench) refuses(w *httptest.ResponseRecorder, code int, text string) {
	b.Helper()
	if w.Code != code || !strings.Contains(w.Body.String(), text) {
		b.Errorf("got %d, want %d with %q\n%s", w.Code, code, text, w.Body)
	}
}
