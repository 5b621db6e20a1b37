package sketch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"image"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

func TestFailures(t *testing.T) {
	t.Run("Attempts fail as listed and then succeed", func(t *testing.T) {
		c := prepare(t, provider.Request{Prompt: "a fox", Size: "4x4",
			Parameters: map[string]string{"fail": "rate_limited:1, unavailable:2,timeout:1", "retry_after": "7s"}})
		for i, want := range []task.Kind{task.RateLimited, task.Unavailable, task.Unavailable, task.Timeout, ""} {
			c.Number = i + 1
			a, err := new(Provider).Submit(t.Context(), c)
			if want == "" {
				if err != nil || !a.Done {
					t.Errorf("attempt %d: %+v, %v", c.Number, a, err)
				}
				continue
			}
			f := failure(t, err)
			if f.Kind != want || f.Message == "" {
				t.Errorf("attempt %d: got %#v, want %s", c.Number, f, want)
			}
			if waits := want == task.RateLimited || want == task.Unavailable; waits != (f.RetryAfter == 7*time.Second) {
				t.Errorf("attempt %d asks to wait %s", c.Number, f.RetryAfter)
			}
		}
	})
	t.Run("Every failure says whether the call was carried out", func(t *testing.T) {
		for kind, want := range map[task.Kind]task.Execution{
			task.RateLimited: task.NotExecuted, task.Unavailable: task.NotExecuted, task.Auth: task.NotExecuted, task.Billing: task.NotExecuted, task.Invalid: task.NotExecuted,
			task.Unsupported: task.NotExecuted, task.ProviderError: task.Unknown, task.Timeout: task.Unknown, task.OutcomeUnknown: task.Unknown,
			task.BadAnswer: task.Executed, task.Moderated: task.Executed, task.Expired: task.Executed,
		} {
			c := prepare(t, provider.Request{Prompt: "a fox", Parameters: map[string]string{"fail": string(kind)}})
			c.Number = 999
			_, err := new(Provider).Submit(t.Context(), c)
			if f := failure(t, err); f.Kind != kind || f.Executed != want {
				t.Errorf("%s: got %s %s, want %s", kind, f.Kind, f.Executed, want)
			}
		}
	})
	t.Run("A moderated request was carried out and refused", func(t *testing.T) {
		_, err := new(Provider).Submit(t.Context(), prepare(t, provider.Request{Prompt: "a fox", Parameters: map[string]string{"moderate": "true"}}))
		if f := failure(t, err); f.Kind != task.Moderated || f.Executed != task.Executed {
			t.Errorf("got %#v", f)
		}
	})
	t.Run("Pictures fail alone", func(t *testing.T) {
		a := submit(t, provider.Request{Prompt: "a fox", Size: "4x4", Images: 4, Parameters: map[string]string{"fail_images": "3,1"}})
		for i, o := range a.Outputs {
			if failed := i == 1 || i == 3; o.Position != i || failed != (o.Err != nil) || failed == (len(o.Bytes) > 0) {
				t.Errorf("output %d is %+v", i, o)
			}
		}
	})
	t.Run("An empty answer is a whole one without a picture", func(t *testing.T) {
		for _, mode := range []string{"sync", "async"} {
			p := new(Provider)
			a, err := p.Submit(t.Context(), prepare(t, provider.Request{Prompt: "a fox", Images: 2, Parameters: map[string]string{"empty": "true", "mode": mode}}))
			if mode == "async" && err == nil {
				a, err = p.Poll(t.Context(), a.Handle)
			}
			if err != nil || !a.Done || len(a.Outputs) != 0 || a.Cost == nil {
				t.Errorf("%s: %+v, %v", mode, a, err)
			}
		}
	})
	t.Run("A dot is one whole pixel", func(t *testing.T) {
		a := submit(t, provider.Request{Prompt: "a fox", Size: "4K", Images: 2, Parameters: map[string]string{"dot": "true"}})
		for _, o := range a.Outputs {
			if m := decode(t, o); m.Bounds().Size() != image.Pt(1, 1) {
				t.Errorf("it is %v", m.Bounds())
			}
		}
	})
	t.Run("A call of another program is refused and did not happen", func(t *testing.T) {
		for _, body := range []string{"", "{", `{"v":2}`} {
			_, err := new(Provider).Submit(t.Context(), provider.Call{Body: []byte(body)})
			if f := failure(t, err); f.Executed != task.NotExecuted || f.Kind != task.Internal {
				t.Errorf("%q: got %#v", body, f)
			}
			_, err = new(Provider).Poll(t.Context(), json.RawMessage(body))
			if f := failure(t, err); f.Executed != task.NotExecuted || f.Kind != task.Internal {
				t.Errorf("poll of %q: got %#v", body, f)
			}
		}
	})
	t.Run("A lost call cannot be looked up, and costs nothing to repeat", func(t *testing.T) {
		p := new(Provider)
		_, err := p.Recover(t.Context(), provider.Lost{})
		if f := failure(t, err); f.Executed != task.Unknown || !p.Capabilities("").Free {
			t.Errorf("got %#v", f)
		}
	})
}

func TestTime(t *testing.T) {
	fox := func(parameters ...string) provider.Request {
		r := provider.Request{Prompt: "a fox", Size: "8x8", Parameters: map[string]string{}}
		for i := 0; i < len(parameters); i += 2 {
			r.Parameters[parameters[i]] = parameters[i+1]
		}
		return r
	}
	t.Run("A slow answer in the same call takes its time", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			begun := time.Now()
			if a := submit(t, fox("mode", "sync", "delay", "30s", "late", "5s")); !a.Done || time.Since(begun) != 35*time.Second {
				t.Errorf("done %t after %s", a.Done, time.Since(begun))
			}
		})
	})
	t.Run("A wait that is cut short may have drawn", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := new(Provider).Submit(ctx, prepare(t, fox("mode", "sync", "delay", "30s")))
			if f := failure(t, err); f.Kind != task.Timeout || f.Executed != task.Unknown || !errors.Is(f, context.DeadlineExceeded) {
				t.Errorf("got %#v", f)
			}
		})
	})
	t.Run("A call that was given up before it began did not happen", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := new(Provider).Submit(ctx, prepare(t, fox()))
		if f := failure(t, err); f.Executed != task.NotExecuted {
			t.Errorf("got %#v", f)
		}
	})
	t.Run("A job is polled by its handle alone, in any process", func(t *testing.T) {
		start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		at := func(d time.Duration) *Provider { return &Provider{Now: func() time.Time { return start.Add(d) }} }
		accepted, err := at(0).Submit(t.Context(), prepare(t, fox("delay", "10s", "late", "2s")))
		if err != nil || accepted.Done || len(accepted.Handle) == 0 || accepted.JobID == "" || accepted.PollAfter != 5*time.Second {
			t.Fatalf("got %+v, %v", accepted, err)
		}
		for _, c := range []struct {
			after    time.Duration
			progress int
			poll     time.Duration
		}{{-time.Hour, 0, 5 * time.Second}, {4 * time.Second, 40, 5 * time.Second}, {11 * time.Second, 99, time.Second}} {
			a, err := at(c.after).Poll(t.Context(), accepted.Handle)
			if err != nil || a.Done || a.Progress != c.progress || a.PollAfter != c.poll || !bytes.Equal(a.Handle, accepted.Handle) {
				t.Errorf("after %s: done %t, progress %d, poll after %s, %v", c.after, a.Done, a.Progress, a.PollAfter, err)
			}
		}
		drawn := submit(t, fox()).Outputs
		for range 2 {
			a, err := at(12*time.Second).Poll(t.Context(), accepted.Handle)
			if err != nil || !a.Done || a.Progress != 100 {
				t.Fatalf("got %+v, %v", a, err)
			}
			if d := cmp.Diff(drawn, a.Outputs); d != "" {
				t.Error(d)
			}
		}
	})
	t.Run("What a service finds while it draws is told by the poll", func(t *testing.T) {
		for _, parameters := range [][]string{{"moderate", "true"}, {"fail", "moderated:1"}} {
			p := new(Provider)
			a, err := p.Submit(t.Context(), prepare(t, fox(append(parameters, "mode", "async")...)))
			if err != nil {
				t.Fatal(err)
			}
			_, err = p.Poll(t.Context(), a.Handle)
			if f := failure(t, err); f.Kind != task.Moderated || f.Executed != task.Executed {
				t.Errorf("got %#v", f)
			}
		}
	})
	t.Run("A poll that is cut short does not end the job", func(t *testing.T) {
		p := new(Provider)
		a, err := p.Submit(t.Context(), prepare(t, fox("mode", "async")))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = p.Poll(ctx, a.Handle)
		if f := failure(t, err); f.Executed != task.NotExecuted {
			t.Errorf("got %#v", f)
		}
	})
}
