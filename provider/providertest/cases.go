package providertest

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

func (s Suite) prepares(t *testing.T) {
	b := s.bench(t)
	again, err := b.provider.Prepare(s.Request)
	if err != nil {
		t.Fatal(err)
	}
	if again.Hash != b.call.Hash || again.Hash != provider.HashCall(again.Endpoint, again.Body) {
		t.Errorf("hashes of the same request are %s and %s; want %s", b.call.Hash, again.Hash, provider.HashCall(again.Endpoint, again.Body))
	}
	for name, change := range map[string]func(*provider.Request){
		"An unknown parameter is invalid": func(r *provider.Request) {
			r.Parameters = map[string]string{cmp.Or(s.UnknownParameter, "no_such_parameter"): "1"}
		},
		"An empty prompt is invalid": func(r *provider.Request) { r.Prompt = "" },
	} {
		t.Run(name, func(t *testing.T) {
			r := s.Request
			change(&r)
			_, err := b.provider.Prepare(r)
			if f := task.AsFailure(err); f == nil || f.Kind != task.Invalid {
				t.Errorf("Prepare: %v; want an Invalid failure", err)
			}
		})
	}
	if n, _ := b.Count(""); n != 0 {
		t.Errorf("Prepare made %d requests", n)
	}
}

func (s Suite) succeeds(t *testing.T) {
	b := s.bench(t)
	a, err := b.provider.Submit(t.Context(), b.call)
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := b.Count(""); n != 1 {
		t.Errorf("the service received %d requests; want 1", n)
	}
	if async := b.provider.Capabilities(s.Request.Model).Async; async != (len(a.Handle) > 0) || async == a.Done {
		t.Errorf("Async is %t, Done %t, Handle %q", async, a.Done, a.Handle)
	}
	if a.Done && len(a.Outputs) == 0 {
		t.Error("the answer is done and has no pictures")
	}
	for _, o := range a.Outputs {
		if o.Err == nil && o.URL == "" && len(o.Bytes) == 0 {
			t.Errorf("picture %d has neither URL nor bytes", o.Position)
		}
	}
}

func (s Suite) misbehaves(t *testing.T) {
	for _, c := range []struct {
		how  Behaviour
		kind task.Kind
	}{
		{ShowsPage(), task.BadAnswer},
		{SaysNothing(), task.BadAnswer},
		{Truncates(), task.BadAnswer},
		{CutsOff(), task.BadAnswer},
		{Floods(maxReply), task.BadAnswer},
		{Bombs(maxReply), task.BadAnswer},
		{Redirects(), task.BadAnswer},
		{Answers(200, "{}").Named("answers with an empty object"), task.BadAnswer},
		{Answers(200, "null").Named("answers with null"), task.BadAnswer},
		{Answers(200, "[]").Named("answers with a list"), task.BadAnswer},
		{Answers(200, `{"a":`+strings.Repeat("[", 20_000)).Named("answers with deep nesting"), task.BadAnswer},
		{Answers(204, "").Named("answers with no content"), task.BadAnswer},
		{Resets(), task.ProviderError},
		{ResetsUnread(), task.ProviderError},
	} {
		t.Run("A service that "+c.how.Name, func(t *testing.T) {
			b := s.bench(t)
			f := b.fails(t.Context(), t, c.how)
			if f.Kind != c.kind || f.Executed != task.Unknown {
				t.Errorf("got %s, executed %s: %v; want %s, executed maybe", f.Kind, f.Executed, f, c.kind)
			}
		})
	}
}

func (s Suite) endures(t *testing.T) {
	t.Run("A service that hangs", func(t *testing.T) {
		b := s.bench(t)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if f := b.fails(ctx, t, Hangs()); f.Kind != task.Timeout || f.Executed != task.Unknown {
			t.Errorf("got %s, executed %s: %v; want timeout, maybe", f.Kind, f.Executed, f)
		}
	})
	t.Run("A service that drips", func(t *testing.T) {
		b := s.bench(t)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		begun := &httptrace.ClientTrace{GotFirstResponseByte: func() { time.AfterFunc(50*time.Millisecond, cancel) }}
		if f := b.fails(httptrace.WithClientTrace(ctx, begun), t, Drips()); f.Kind != task.BadAnswer || f.Executed != task.Unknown {
			t.Errorf("got %s, executed %s: %v; want bad_answer, maybe", f.Kind, f.Executed, f)
		}
	})
	t.Run("A call that is cancelled while the service draws", func(t *testing.T) {
		b := s.bench(t)
		ctx, cancel := context.WithCancel(t.Context())
		hang := Hangs()
		hang.Serve = func(_ http.ResponseWriter, r *http.Request, _ []byte) { cancel(); <-r.Context().Done() }
		if f := b.fails(ctx, t, hang); f.Executed != task.Unknown {
			t.Errorf("executed %s: %v; want maybe", f.Executed, f)
		}
	})
}

// statuses tries each error status without a code that the table knows. A 5xx
// must not be NotExecuted unless the table names the status.
func (s Suite) statuses(t *testing.T) {
	b := s.bench(t)
	for status := 400; status < 600; status++ {
		f := b.fails(t.Context(), t, Answers(status, string(s.ErrorBody("", "it did not work"))))
		want := task.NotExecuted
		if status >= 500 || status == http.StatusRequestTimeout {
			want = task.Unknown
		}
		for _, row := range s.Faults {
			if row.Code == "" && row.Status == status {
				want = row.Executed
			}
		}
		if f.Executed != want || f.HTTPStatus != status {
			t.Errorf("%d: executed %s, HTTPStatus %d: %v; want %s", status, f.Executed, f.HTTPStatus, f, want)
		}
	}
}

// rows tries each row of the table, at a status that alone would mean something else.
func (s Suite) rows(t *testing.T) {
	b := s.bench(t)
	for _, row := range s.Faults {
		code, status := row.Code, row.Status
		if code != "" {
			status = 500
			if row.Executed == task.Unknown {
				status = 400
			}
		}
		if prefix, any := strings.CutSuffix(code, "*"); any {
			code = prefix + ".Particular"
		}
		t.Run(fmt.Sprintf("%s %d is %s, executed %s", row.Code, row.Status, row.Kind, row.Executed), func(t *testing.T) {
			f := b.fails(t.Context(), t, Answers(status, string(s.ErrorBody(code, "a reason of the service"))))
			if f.Kind != row.Kind || f.Executed != row.Executed || f.Unbilled != row.Unbilled || f.OfModel != row.Model || f.Code != code || f.Advice != row.Advice || f.About != row.About {
				t.Errorf("got %s, executed %s, code %q, advice %s %q", f.Kind, f.Executed, f.Code, f.Advice, f.About)
			}
			if row.Advice.Sentence(row.About) == "" && row.Advice != "" || row.About != "" && !strings.Contains(row.Advice.Sentence(row.About), row.About) {
				t.Errorf("advice %q with %q is none that anybody could put into words", row.Advice, row.About)
			}
			if code != "" && !strings.Contains(f.Error(), "a reason of the service") {
				t.Errorf("the service's own text is lost: %v", f)
			}
		})
	}
}

func (s Suite) waits(t *testing.T) {
	b := s.bench(t)
	f := b.fails(t.Context(), t, Answers(429, string(s.ErrorBody("", "slower")), "Retry-After", "7"))
	if f.Kind != task.RateLimited || f.Executed != task.NotExecuted || f.RetryAfter != 7*time.Second {
		t.Errorf("got %s, executed %s, after %s; want rate_limited, no, 7s", f.Kind, f.Executed, f.RetryAfter)
	}
}

func (s Suite) unsent(t *testing.T) {
	check := func(ctx context.Context, t *testing.T, b *bench) {
		_, err := b.provider.Submit(ctx, b.call)
		if f := task.AsFailure(err); f == nil || f.Executed != task.NotExecuted || f.Kind != task.Unavailable {
			t.Errorf("Submit: %v; want Unavailable, executed no", err)
		}
		if n, _ := b.Count(""); n != 0 {
			t.Errorf("the service received %d requests", n)
		}
	}
	t.Run("The service is down", func(t *testing.T) {
		b := s.bench(t)
		b.Close()
		check(t.Context(), t, b)
	})
	t.Run("The worker has lost its task before", func(t *testing.T) {
		b := s.bench(t)
		b.call.MaySend = func() bool { return false }
		_, err := b.provider.Submit(t.Context(), b.call)
		if f := task.AsFailure(err); f == nil || f.Executed != task.NotExecuted || f.Kind != task.Unavailable {
			t.Errorf("Submit: %v; want Unavailable, executed no", err)
		}
		for _, e := range b.Ledger() {
			if len(e.Body) > 0 {
				t.Errorf("it was sent: %s", e.Body)
			}
		}
	})
	t.Run("The call is cancelled before", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		check(ctx, t, s.bench(t))
	})
}

func (s Suite) reused(t *testing.T) {
	b := s.bench(t)
	if _, err := b.provider.Submit(t.Context(), b.call); err != nil {
		t.Fatal(err)
	}
	if f := b.fails(t.Context(), t, Resets()); f.Executed != task.Unknown {
		t.Errorf("executed %s: %v; want maybe", f.Executed, f)
	}
	if l := b.Ledger(); l[0].From != l[1].From {
		t.Errorf("the calls came from %s and %s: the connection was not reused, and the test proves nothing", l[0].From, l[1].From)
	}
}

// secret lets the service repeat the key in every place where it can write.
func (s Suite) secret(t *testing.T) {
	b := s.bench(t)
	echo := "the key Bearer " + canary + " and https://host.test/?key=" + canary
	body := string(s.ErrorBody(canary, echo))
	split := strings.Repeat("\x00", 64<<10-10) + strings.Repeat(canary, 10) // where a reader may stop amid the key
	for _, status := range []int{200, 201, 302, 400, 401, 403, 429, 500} {
		for _, text := range []string{body, "<html>" + echo, `{"` + canary, strings.Repeat(canary, 10_000), split} {
			b.fails(t.Context(), t, Answers(status, text, "X-Request-Id", canary, "Location", "/?key="+canary, "Retry-After", canary))
		}
	}
	b.Behave(nil)
	a, err := b.provider.Submit(t.Context(), b.call)
	if err != nil {
		t.Fatal(err)
	}
	shown := fmt.Sprintf("%s %s %s %v %+v %#v", a.Raw, a.Handle, a.RequestID, b.provider, b.provider, b.provider)
	if strings.Contains(shown+string(b.call.Body)+b.call.Endpoint, trace) {
		t.Errorf("the key is shown: %s", shown)
	}
}
