package providertest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

func (s Suite) async(b *bench) bool { return b.provider.Capabilities(s.Request.Model).Async }

// begun submits and returns the handle.
func (b *bench) begun(t *testing.T) json.RawMessage {
	t.Helper()
	b.Behave(nil)
	a, err := b.provider.Submit(t.Context(), b.call)
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Handle) == 0 || a.JobID == "" {
		t.Fatalf("handle %q, job %q", a.Handle, a.JobID)
	}
	return a.Handle
}

// follows is the crash between submit and first poll: another worker goes on
// with nothing but the handle, and nothing is submitted again.
func (s Suite) follows(t *testing.T) {
	b := s.bench(t)
	if !s.async(b) {
		return
	}
	handle := b.begun(t)
	other := b.moved()
	var a provider.Answer
	for polls := 1; ; polls++ {
		var err error
		if a, err = other.Poll(t.Context(), handle); err != nil {
			t.Fatalf("poll %d: %v", polls, err)
		}
		if a.Done {
			break
		}
		if len(a.Handle) > 0 {
			handle = a.Handle // a handle may learn
		}
		if polls > 20 {
			t.Fatal("the job is never done")
		}
	}
	if n, _ := b.Count(""); n != 1 {
		t.Errorf("the service received %d submits; want 1", n)
	}
	job := b.Jobs()[0]
	if len(a.Outputs) != job.Images {
		t.Fatalf("%d pictures; want %d", len(a.Outputs), job.Images)
	}
	for i, o := range a.Outputs {
		if got, want := b.bytes(t, other, o), Picture(job.Seed(i)); !bytes.Equal(got, want) {
			t.Errorf("picture %d is another one (%d bytes)", i+1, len(got))
		}
	}
	again, err := other.Poll(t.Context(), handle)
	if err != nil || !again.Done {
		t.Errorf("a poll after the end: %+v, %v", again, err)
	}
}

// bytes returns the output's picture as a worker with p would get it.
func (b *bench) bytes(t *testing.T, p provider.Provider, o provider.Output) []byte {
	t.Helper()
	if o.URL == "" {
		return o.Bytes
	}
	var header http.Header
	if private, ok := p.(provider.Private); ok {
		header = private.PictureHeader(o.URL)
	}
	d, err := b.client.Fetch(t.Context(), o.URL, header, maxReply)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	got, err := io.ReadAll(d)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func (s Suite) pollsAgain(t *testing.T) {
	b := s.bench(t)
	if !s.async(b) {
		return
	}
	handle := b.begun(t)
	for _, how := range []Behaviour{ShowsPage(), SaysNothing(), Truncates(), CutsOff(), Floods(maxReply), Bombs(maxReply), Resets(), ResetsUnread(),
		Answers(200, "null"), Answers(200, "[]"), Answers(200, "{}"), Answers(500, "{}"), Answers(502, "<html>"), Answers(503, ""), Answers(429, "{}", "Retry-After", "7"),
		Answers(401, "{}"), Answers(302, "", "Location", "/")} {
		t.Run("A service that "+how.Name, func(t *testing.T) {
			b.Asks(&how)
			a, err := b.provider.Poll(t.Context(), handle)
			f := task.AsFailure(err)
			if err != nil {
				concealed(t, f)
			}
			if err == nil && a.Done || err != nil && f.Executed != task.NotExecuted {
				t.Errorf("got done %t, %v; the job must go on", a.Done, err)
			}
			if how.Name == "answers 429" && (f == nil || f.RetryAfter != 7*time.Second) {
				t.Errorf("the wait is lost: %v", err)
			}
		})
	}
	t.Run("A service that hangs", func(t *testing.T) {
		b.Asks(new(Hangs()))
		ctx, cancel := context.WithTimeout(t.Context(), patience/10)
		defer cancel()
		if _, err := b.provider.Poll(ctx, handle); task.AsFailure(err) == nil || task.AsFailure(err).Executed != task.NotExecuted {
			t.Errorf("got %v", err)
		}
	})
	if n, _ := b.Count(""); n != 1 {
		t.Errorf("the service received %d submits; want 1", n)
	}
}

func (s Suite) refusals(t *testing.T) {
	for _, e := range s.Refusals {
		t.Run(e.Claim, func(t *testing.T) {
			b := s.bench(t)
			e.compare(t, b.fails(t.Context(), t, Answers(e.Status, e.Body, e.Header...)))
		})
	}
}

func (s Suite) endings(t *testing.T) {
	for _, e := range s.Endings {
		t.Run(e.Claim, func(t *testing.T) {
			b := s.bench(t)
			handle := b.begun(t)
			b.Asks(new(Answers(e.Status, e.Body, e.Header...)))
			a, err := b.provider.Poll(t.Context(), handle)
			f := task.AsFailure(err)
			if f == nil {
				t.Fatalf("got %+v, %v", a, err)
			}
			concealed(t, f)
			e.compare(t, f)
		})
	}
}

func (e Ending) compare(t *testing.T, f *task.Failure) {
	t.Helper()
	if f.Kind != e.Kind || f.Executed != e.Executed || f.Code != e.Code {
		t.Errorf("got %s, executed %s, code %q: %v; want %s, %s, %q", f.Kind, f.Executed, f.Code, f, e.Kind, e.Executed, e.Code)
	}
}

func (s Suite) strangeHandles(t *testing.T) {
	b := s.bench(t)
	if !s.async(b) {
		return
	}
	handle := b.begun(t)
	before := len(b.Asked())
	t.Run("One of a later release is left to it", func(t *testing.T) {
		var h map[string]any
		if err := json.Unmarshal(handle, &h); err != nil {
			t.Fatal(err)
		}
		h["v"] = 1_000_000
		if _, err := b.provider.Poll(t.Context(), provider.WriteHandle(h)); !provider.IsNewer(err) {
			t.Errorf("Poll: %v", err)
		}
		if err := b.provider.Cancel(t.Context(), provider.WriteHandle(h)); b.provider.Capabilities(s.Request.Model).Cancel && !provider.IsNewer(err) {
			t.Errorf("Cancel: %v", err)
		}
	})
	for _, raw := range []string{"", "null", "{}", "[]", `{"v":0}`, `{"v":-1}`, `{"v":1}`, `{"v":"1"}`, "{"} {
		t.Run(fmt.Sprintf("%q", raw), func(t *testing.T) {
			_, err := b.provider.Poll(t.Context(), json.RawMessage(raw))
			if f := task.AsFailure(err); f == nil || f.Executed != task.NotExecuted {
				t.Errorf("Poll: %v", err)
			}
		})
	}
	t.Run("The key goes to no other host", func(t *testing.T) {
		thief := Start(Service{Asks: map[string]Ask{"/": Said(http.StatusOK, "{}")}})
		defer thief.Close()
		stolen := bytes.ReplaceAll(handle, []byte(b.URL), []byte(thief.URL))
		b.provider.Poll(t.Context(), stolen)
		b.provider.Cancel(t.Context(), stolen)
		if n := len(thief.Asked()); n > 0 {
			t.Errorf("another host received %d requests", n)
		}
	})
	if bytes.Contains(handle, []byte(b.URL)) {
		if after := len(b.Asked()); after != before {
			t.Errorf("%d requests were made for strange handles", after-before)
		}
	}
}

func (s Suite) recovers(t *testing.T) {
	b := s.bench(t)
	lost := provider.Lost{Key: b.call.Key, Endpoint: b.call.Endpoint, SentAt: time.Now()}
	if !b.provider.Capabilities(s.Request.Model).Recover {
		_, err := b.provider.Recover(t.Context(), lost)
		if f := task.AsFailure(err); f == nil || f.Executed != task.Unknown {
			t.Errorf("Recover: %v; want a failure that leaves its outcome unknown", err)
		}
		return
	}
	t.Run("One that never came is known not to have come", func(t *testing.T) {
		_, err := b.provider.Recover(t.Context(), lost)
		if f := task.AsFailure(err); f == nil || f.Kind != task.Expired || f.Executed != task.NotExecuted {
			t.Errorf("Recover: %v; want Expired, executed no", err)
		}
	})
	t.Run("A service that cannot be asked proves nothing", func(t *testing.T) {
		for _, how := range []Behaviour{Answers(500, "{}"), Resets(), ShowsPage(), Answers(401, "{}")} {
			b.Asks(&how)
			_, err := b.provider.Recover(t.Context(), lost)
			if f := task.AsFailure(err); f == nil || f.Kind == task.Expired || f.Executed == task.Executed {
				t.Errorf("%s: %v", how.Name, err)
			}
		}
		b.Asks(nil)
	})
	t.Run("One whose answer was lost is found with its handle", func(t *testing.T) {
		b.fails(t.Context(), t, Resets())
		a, err := b.provider.Recover(t.Context(), lost)
		if err != nil || !a.Done && len(a.Handle) == 0 {
			t.Fatalf("Recover: %+v, %v", a, err)
		}
		if n, _ := b.Count(""); n != 1 {
			t.Errorf("the service received %d submits; want 1", n)
		}
	})
}

// Said returns an Ask that answers the same every time.
func Said(status int, answer string) Ask {
	return func(*Server, *http.Request, []byte) (int, []byte) { return status, []byte(answer) }
}
