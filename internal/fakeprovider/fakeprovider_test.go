package fakeprovider

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

// rig is a fake provider on a loopback port and its adapters.
type rig struct {
	t      *testing.T
	server *Server
	http   *httptest.Server
	client *provider.Client
}

func newRig(t *testing.T, o Options) *rig {
	t.Helper()
	o.Ledger = filepath.Join(t.TempDir(), "ledger.jsonl")
	o.Key = "the-key-of-tests"
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, server: s, http: httptest.NewServer(s), client: &provider.Client{HTTP: &http.Client{Transport: provider.NewTransport()}}}
	t.Cleanup(func() {
		r.http.CloseClientConnections()
		r.http.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func (r *rig) adapter(class string) *Adapter {
	r.t.Helper()
	a, err := New(Config{BaseURL: r.http.URL + "/" + class + "/somebody", Key: provider.Secret(r.server.Key), Client: r.client})
	if err != nil {
		r.t.Fatal(err)
	}
	return a
}

// submit makes a call with that key.
func (r *rig) submit(a *Adapter, key string) (provider.Answer, error) {
	r.t.Helper()
	c, err := a.Prepare(provider.Request{Model: "brush", Prompt: "t-1 一只红狐狸"})
	if err != nil {
		r.t.Fatal(err)
	}
	c.Key = key
	ctx, cancel := context.WithTimeout(r.t.Context(), 2*time.Second)
	defer cancel()
	return a.Submit(ctx, c)
}

func (r *rig) control(body string) int {
	r.t.Helper()
	resp, err := http.Post(r.http.URL+"/control", "application/json", strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// booked returns the book's lines and how many of them are bills.
func (r *rig) booked() (lines []entry, bills int) {
	r.t.Helper()
	text, err := os.ReadFile(r.server.Ledger)
	if err != nil {
		r.t.Fatal(err)
	}
	for scan := bufio.NewScanner(bytes.NewReader(text)); scan.Scan(); {
		var e entry
		if err := json.Unmarshal(scan.Bytes(), &e); err != nil {
			r.t.Fatal(err)
		}
		lines = append(lines, e)
		if e.Billed {
			bills++
		}
	}
	return lines, bills
}

func TestClasses(t *testing.T) {
	t.Run("idempotent answers the same key with the same job and bills it once", func(t *testing.T) {
		r := newRig(t, Options{Takes: time.Hour})
		a := r.adapter("idempotent")
		first, err := r.submit(a, "key-1")
		again, err2 := r.submit(a, "key-1")
		if err != nil || err2 != nil || first.JobID == "" || first.JobID != again.JobID {
			t.Errorf("jobs %q and %q (%v, %v)", first.JobID, again.JobID, err, err2)
		}
		if lines, bills := r.booked(); bills != 1 || len(lines) != 2 || lines[1].Event != "duplicate" {
			t.Errorf("%d bills in %+v", bills, lines)
		}
	})
	t.Run("lookup finds a call again by its key, bills each call, and proves that others never came", func(t *testing.T) {
		r := newRig(t, Options{})
		a := r.adapter("lookup")
		for range 2 {
			if _, err := r.submit(a, "key-1"); err != nil {
				t.Fatal(err)
			}
		}
		found, err := a.Recover(t.Context(), provider.Lost{Key: "key-1"})
		if err != nil || !found.Done {
			t.Errorf("%+v, %v", found, err)
		}
		if _, err := a.Recover(t.Context(), provider.Lost{Key: "key-2"}); task.AsFailure(err).Executed != task.NotExecuted {
			t.Errorf("a key that never came is answered with %v", err)
		}
		if _, bills := r.booked(); bills != 2 {
			t.Errorf("%d bills, want 2", bills)
		}
	})
	t.Run("async is polled by its handle, and its picture is at a signed address", func(t *testing.T) {
		r := newRig(t, Options{Token: "a-signature"})
		a := r.adapter("async")
		accepted, err := r.submit(a, "key-1")
		if err != nil || accepted.Done {
			t.Fatalf("an asynchronous fake provider answers in the call: %+v, %v", accepted, err)
		}
		done, err := a.Poll(t.Context(), accepted.Handle)
		if err != nil || !done.Done || done.Cost == nil || done.Cost.Micros != costPaid {
			t.Fatalf("%+v, %v", done, err)
		}
		for url, want := range map[string]int{done.Outputs[0].URL: 200, strings.Split(done.Outputs[0].URL, "?")[0]: 403} {
			resp, err := http.Get(url)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != want {
				t.Errorf("%s answers %d, want %d", url, resp.StatusCode, want)
			}
		}
		if _, err := a.Recover(t.Context(), provider.Lost{Key: "key-1"}); task.AsFailure(err).Executed != task.Unknown {
			t.Errorf("class async cannot be asked for a key, but says %v", err)
		}
	})
	t.Run("sync answers in the call, inline with the picture that its book names", func(t *testing.T) {
		r := newRig(t, Options{Inline: true})
		done, err := r.submit(r.adapter("sync"), "key-1")
		if err != nil || !done.Done || len(done.Outputs) != 1 || len(done.Outputs[0].Bytes) == 0 {
			t.Fatalf("%+v, %v", done, err)
		}
		lines, bills := r.booked()
		if _, sha := paint(done.JobID, "t-1"); bills != 1 || lines[0].Pictures[0] != sha || lines[0].Tag != "t-1" {
			t.Errorf("the book says %+v", lines)
		}
	})
}

func TestFaults(t *testing.T) {
	for fault, want := range map[string]struct {
		executed task.Execution
		bills    int
		unbilled bool
	}{Busy: {task.NotExecuted, 0, false}, TooMany: {task.NotExecuted, 0, false}, Own: {task.Executed, 0, true}, Gateway: {task.Unknown, 0, false}, Broken: {task.Unknown, 1, false},
		Cut: {task.Unknown, 1, false}, Hang: {task.Unknown, 1, false}, Page: {task.Unknown, 1, false}} {
		t.Run("async call says what it can of its fault, and the book says what was billed: "+fault, func(t *testing.T) {
			r := newRig(t, Options{})
			if status := r.control(`{"faults":["` + fault + `"]}`); status != http.StatusNoContent {
				t.Fatalf("control answers %d", status)
			}
			_, err := r.submit(r.adapter("sync"), "key-1")
			f := task.AsFailure(err)
			lines, bills := r.booked()
			if f == nil || f.Executed != want.executed || f.Unbilled != want.unbilled || bills != want.bills || lines[0].Cut != (want.executed == task.Unknown) {
				t.Errorf("%v, executed %q; %d bills in %+v", err, f.Executed, bills, lines)
			}
			if _, err := r.submit(r.adapter("sync"), "key-2"); err != nil {
				t.Errorf("the next call fails too: %v", err)
			}
		})
	}

	t.Run("async job that turns out not to be drawable is not billed", func(t *testing.T) {
		r := newRig(t, Options{})
		r.control(`{"faults":["fails"]}`)
		a := r.adapter("async")
		accepted, err := r.submit(a, "key-1")
		if err == nil {
			_, err = a.Poll(t.Context(), accepted.Handle)
		}
		if _, bills := r.booked(); bills != 0 || task.AsFailure(err).Executed != task.Executed {
			t.Errorf("%d bills, %v", bills, err)
		}
	})

	t.Run("async fake provider that is shut answers nothing, until it is told to be calm", func(t *testing.T) {
		r := newRig(t, Options{})
		r.control(`{"shut_millis":3600000}`)
		if _, err := r.submit(r.adapter("sync"), "key-1"); task.AsFailure(err).Executed != task.NotExecuted {
			t.Errorf("a shut fake provider answers %v", err)
		}
		r.control(`{"calm":true}`)
		if _, err := r.submit(r.adapter("sync"), "key-1"); err != nil {
			t.Error(err)
		}
	})

	t.Run("What it cannot be told is refused", func(t *testing.T) {
		r := newRig(t, Options{})
		for _, body := range []string{`{"faults":["dance"]}`, `{"shut_millis":-1}`, `{"nonsense":1}`, `[]`} {
			if status := r.control(body); status != http.StatusBadRequest {
				t.Errorf("%s answers %d", body, status)
			}
		}
	})
}

func TestCallers(t *testing.T) {
	r := newRig(t, Options{})
	t.Run("async wrong key is refused and nothing is billed", func(t *testing.T) {
		a, err := New(Config{BaseURL: r.http.URL + "/sync/somebody", Key: "another", Client: r.client})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.submit(a, "key-1"); task.AsFailure(err).Kind != task.Auth {
			t.Errorf("answered %v", err)
		}
		if _, bills := r.booked(); bills != 0 {
			t.Errorf("%d bills", bills)
		}
	})
	t.Run("async base URL without a class is refused", func(t *testing.T) {
		for _, path := range []string{"", "/Z/x", "/KC/x", "/x"} {
			if _, err := New(Config{BaseURL: r.http.URL + path, Key: "k", Client: r.client}); err == nil || !strings.Contains(err.Error(), "base_url") {
				t.Errorf("%q: %v", path, err)
			}
		}
	})
}
