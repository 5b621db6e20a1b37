package callback_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/easelqueue/easel/callback"
	"github.com/easelqueue/easel/internal/servertest"
	"github.com/easelqueue/easel/internal/tables"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

func TestMain(m *testing.M) { servertest.NothingStays(m) }

// caller is a service that calls back with {"job":…}, signed with its secret.
type caller struct{ provider.Provider }

func (caller) ReadCallback(c provider.Callback) (json.RawMessage, string, error) {
	if c.Header.Get("X-Signature") != c.Secret.Reveal() {
		return nil, "", &task.Failure{Kind: task.Auth, Executed: task.NotExecuted, Message: "the signature is wrong"}
	}
	var said struct{ Job string }
	if json.Unmarshal(c.Body, &said) != nil || said.Job == "" {
		return nil, "", &task.Failure{Kind: task.BadAnswer, Executed: task.NotExecuted, Message: "no job"}
	}
	return json.RawMessage(`{"v":1,"job":"` + said.Job + `"}`), said.Job, nil
}

// mute is a service that does not call back.
type mute struct{ provider.Provider }

// rig is a handler before a database with one task whose call is on its way.
type rig struct {
	*testing.T
	handler *callback.Handler
	store   *store.Store
	t       *task.Task
	a       *task.Attempt
	woken   []int64
	after   string // the Retry-After of the last answer
	away    error
}

func (r *rig) Wake(_ context.Context, id int64) error {
	r.woken = append(r.woken, id)
	return r.away
}

func newRig(t *testing.T) *rig {
	s, err := store.Open(t.Context(), tables.SQLite(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	r := &rig{T: t, store: s}
	_, err = s.Insert(t.Context(), []*task.Task{{Request: task.Request{Provider: "caller", Prompt: "a boat"}}})
	r.check(err)
	claim, _, err := s.Claim(t.Context(), task.Ref{Task: 1}, "w", 0)
	r.check(err)
	r.t, r.a = claim.Task, &task.Attempt{Key: uuid.NewString(), Provider: "caller", Account: "main"}
	r.check(tables.Begin(t.Context(), s, r.t, r.a))
	account := func(p provider.Provider, callbacks bool) *provider.Service {
		return &provider.Service{Accounts: []provider.Account{{Name: "main", Provider: p, Callbacks: callbacks, CallbackSecret: "s3cret"}}}
	}
	r.handler = &callback.Handler{Tasks: s, Queue: r, Services: provider.Services{"caller": account(caller{}, true), "mute": account(mute{}, true), "off": account(caller{}, false)}}
	return r
}

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
	if diff := cmp.Diff(want, got); diff != "" {
		r.Errorf("wanted (-), got (+):\n%s", diff)
	}
}

// calls calls back and returns the status.
func (r *rig) calls(method, path, signature, body string) int {
	req := httptest.NewRequestWithContext(r.Context(), method, path, strings.NewReader(body))
	req.Header.Set("X-Signature", signature)
	w := httptest.NewRecorder()
	r.handler.ServeHTTP(w, req)
	r.after = w.Header().Get("Retry-After")
	return w.Code
}

func (r *rig) attempt() *task.Attempt {
	r.Helper()
	a, err := r.store.AttemptByKey(r.Context(), r.a.Key)
	r.check(err)
	return a
}

func TestCallbacks(t *testing.T) {
	t.Run("A call whose answer is lost gets the handle of its job", func(t *testing.T) {
		r := newRig(t)
		r.same(r.calls("POST", "/callbacks/caller/"+r.a.Key, "s3cret", `{"job":"j1"}`), 200)
		got, err := r.store.Get(r.Context(), 1)
		r.check(err)
		r.same(facts{"State": r.attempt().State, "Handle": r.attempt().Handle, "ProviderJobID": got.ProviderJobID, "woken": r.woken},
			facts{"State": task.AttemptAccepted, "Handle": `{"v":1,"job":"j1"}`, "ProviderJobID": "j1", "woken": []int64{1}})
	})
	t.Run("A task that failed for it learns that the job is there, and stays failed", func(t *testing.T) {
		r := newRig(t)
		r.a.State = task.AttemptUnknown
		r.check(tables.Err(r.store.Finish(r.Context(), store.Decided{Held: r.t.Token(), Decision: task.Decision{Status: task.Failed, Failure: &task.Failure{Kind: task.OutcomeUnknown, Executed: task.Unknown, Message: "nobody knows"}}, Attempt: r.a})))
		r.same(r.calls("POST", "/callbacks/caller/"+r.a.Key, "s3cret", `{"job":"j1"}`), 200)
		got, err := r.store.Get(r.Context(), 1)
		r.check(err)
		r.same(facts{"Status": got.Status, "ErrorKind": got.ErrorKind, "State": r.attempt().State},
			facts{"Status": task.Failed, "ErrorKind": task.OutcomeUnknown, "State": task.AttemptAccepted})
		if !strings.Contains(got.ErrorMsg, "the provider has run this call after all") {
			r.Errorf("the reason is %q", got.ErrorMsg)
		}
	})
	for name, c := range map[string]struct {
		say   func(r *rig, seen task.Seen) error
		state task.AttemptState
	}{
		"not charged": {func(r *rig, seen task.Seen) error {
			_, err := r.store.Retry(r.Context(), seen, true)
			return err
		}, task.AttemptAccepted},
		"charged": {func(r *rig, seen task.Seen) error {
			_, err := r.store.GiveUp(r.Context(), seen, nil)
			return err
		}, task.AttemptAccepted},
		"failed": {func(r *rig, seen task.Seen) error {
			_, err := r.store.DB().ExecContext(r.Context(), "UPDATE generation_attempt SET state = 'failed', error_kind = 'moderated'")
			return err
		}, task.AttemptFailed},
	} {
		t.Run("A callback proves the contrary of what a person has said of its call, and not of what the provider has: "+name, func(t *testing.T) {
			r := newRig(t)
			r.a.State = task.AttemptUnknown
			r.check(tables.Err(r.store.Finish(r.Context(), store.Decided{Held: r.t.Token(), Decision: task.Decision{Status: task.Failed, Failure: &task.Failure{Kind: task.OutcomeUnknown, Executed: task.Unknown, Message: "nobody knows"}}, Attempt: r.a})))
			held, err := r.store.Get(r.Context(), 1)
			r.check(err)
			r.check(c.say(r, held.Seen()))
			before, err := r.store.Get(r.Context(), 1)
			r.check(err)
			for range 2 { // a service may call twice
				r.same(r.calls("POST", "/callbacks/caller/"+r.a.Key, "s3cret", `{"job":"j1"}`), 200)
			}
			got, err := r.store.Get(r.Context(), 1)
			r.check(err)
			r.same(facts{"State": r.attempt().State, "Handle": r.attempt().Handle != "", "Status": got.Status, "len woken": len(r.woken)},
				facts{"State": c.state, "Handle": c.state == task.AttemptAccepted, "Status": before.Status, "len woken": 2})
		})
	}
	t.Run("A job that is known keeps its handle, and its worker is told to ask", func(t *testing.T) {
		r := newRig(t)
		r.a.State, r.a.Handle = task.AttemptAccepted, `{"v":1,"job":"true"}`
		r.check(tables.Err(r.store.Record(r.Context(), store.Accepted{Held: r.t.Token(), Attempt: *r.a, JobID: "true"})))
		r.away = errors.New("redis is away")
		r.same(r.calls("POST", "/callbacks/caller/"+r.a.Key, "s3cret", `{"job":"forged"}`), 200)
		r.same(facts{"Handle": r.attempt().Handle, "woken": r.woken}, facts{"Handle": `{"v":1,"job":"true"}`, "woken": []int64{1}})
	})
	t.Run("A database that is away makes the service call again", func(t *testing.T) {
		r := newRig(t)
		r.store.Close()
		r.same(r.calls("POST", "/callbacks/caller/"+r.a.Key, "s3cret", `{"job":"j1"}`), 503)
	})
	for claim, c := range map[string]struct {
		method, path, signature, body string
		want                          int
	}{
		"A wrong signature is refused":                     {"POST", "/callbacks/caller/KEY", "guess", `{"job":"j1"}`, 401},
		"A body that cannot be read is refused":            {"POST", "/callbacks/caller/KEY", "s3cret", `<html>`, 400},
		"A body of more than a megabyte is refused":        {"POST", "/callbacks/caller/KEY", "s3cret", `{"job":"` + strings.Repeat("j", 1<<20) + `"}`, 400},
		"A call that we never made is not known":           {"POST", "/callbacks/caller/" + uuid.NewString(), "s3cret", `{"job":"j1"}`, 404},
		"A call of another provider is not known":          {"POST", "/callbacks/mute/KEY", "s3cret", `{"job":"j1"}`, 404},
		"A key that is none is not known":                  {"POST", "/callbacks/caller/1' OR 1=1", "s3cret", `{"job":"j1"}`, 404},
		"No key is not known":                              {"POST", "/callbacks/caller", "s3cret", `{"job":"j1"}`, 404},
		"Somebody who only looks is told what this is for": {"GET", "/callbacks/caller/KEY", "s3cret", "", 405},
	} {
		t.Run(claim, func(t *testing.T) {
			r := newRig(t)
			path := strings.ReplaceAll(strings.ReplaceAll(c.path, "KEY", r.a.Key), " ", "%20")
			r.same(r.calls(c.method, path, c.signature, c.body), c.want)
			r.same(facts{"State": r.attempt().State, "len woken": len(r.woken)}, facts{"State": task.AttemptSending, "len woken": 0})
		})
	}
	t.Run("An address of the release before is answered", func(t *testing.T) {
		r := newRig(t)
		r.same(r.calls("POST", "/hooks/caller/"+r.a.Key, "s3cret", `{"job":"j1"}`), 200)
		r.same(r.attempt().State, task.AttemptAccepted)
	})
	for name, want := range map[string]int{"mute": 404, "off": 503, "gone": 503} {
		t.Run("A provider that cannot call back is not heard, and one that is not here, or with callbacks off, may call again: "+name, func(t *testing.T) {
			r := newRig(t)
			_, err := r.store.DB().ExecContext(r.Context(), "UPDATE generation_attempt SET provider = '"+name+"'")
			r.check(err)
			r.same(r.calls("POST", "/callbacks/"+name+"/"+r.a.Key, "s3cret", `{"job":"j1"}`), want)
			r.same(r.after != "", want == 503)
		})
	}
	t.Run("A callback of an account that is not here may come again", func(t *testing.T) {
		r := newRig(t)
		_, err := r.store.DB().ExecContext(r.Context(), "UPDATE generation_attempt SET account = 'elsewhere'")
		r.check(err)
		r.same(r.calls("POST", "/callbacks/caller/"+r.a.Key, "s3cret", `{"job":"j1"}`), 503)
	})
}
