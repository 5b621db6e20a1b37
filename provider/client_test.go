package provider_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/provider/providertest"
	"github.com/easelqueue/easel/task"
)

// service starts a service that behaves so, and a client of its own.
func service(t *testing.T, how providertest.Behaviour) (*providertest.Server, *provider.Client) {
	t.Helper()
	s := providertest.Start(providertest.Service{Submits: map[string]providertest.Endpoint{
		"/": func(*providertest.Server, []byte) []byte { return []byte(`{"ok":true}`) },
	}})
	s.Always(how)
	transport := provider.NewTransport()
	t.Cleanup(func() { s.Close(); transport.CloseIdleConnections() })
	return s, &provider.Client{HTTP: &http.Client{Transport: transport}}
}

// cutOff sends what comes, announces more and breaks the connection.
func cutOff(comes string) providertest.Behaviour {
	how := providertest.CutsOff()
	half := how.Serve
	how.Serve = func(w http.ResponseWriter, r *http.Request, _ []byte) {
		half(w, r, []byte(comes+strings.Repeat(" ", len(comes))))
	}
	return how
}

func post(url, body string) provider.HTTPRequest {
	return provider.HTTPRequest{Method: http.MethodPost, URL: url, Body: []byte(body)}
}

// failure checks that err is a failure of that kind, and returns it.
func failure(t *testing.T, err error, kind task.Kind, executed task.Execution) *task.Failure {
	t.Helper()
	f, ok := err.(*task.Failure)
	if !ok {
		t.Fatalf("got %T %v; want a failure", err, err)
	}
	if f.Kind != kind || f.Executed != executed {
		t.Errorf("got %s, executed %s: %v; want %s, %s", f.Kind, f.Executed, f, kind, executed)
	}
	return f
}

func TestDoNeverSendsTwice(t *testing.T) {
	for _, header := range []string{"X-Nothing", "Idempotency-Key"} {
		t.Run("A reused connection dies after the body was read, with "+header, func(t *testing.T) {
			s, c := service(t, providertest.Draws())
			r := post(s.URL+"/draw", `{}`)
			r.Header = http.Header{header: {"1"}}
			if _, err := c.Do(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			s.Always(providertest.Resets())
			_, err := c.Do(t.Context(), r)
			failure(t, err, task.ProviderError, task.Unknown)
			l := s.Ledger()
			if len(l) != 2 || l[0].From != l[1].From {
				t.Errorf("the service received %d requests: %+v; want 2 on one connection", len(l), l)
			}
		})
	}
	for _, status := range []int{301, 302, 303, 307, 308} {
		t.Run(fmt.Sprintf("A redirect by %d is not followed", status), func(t *testing.T) {
			s, c := service(t, providertest.Answers(status, "", "Location", "/again"))
			reply, err := c.Do(t.Context(), post(s.URL, `{}`))
			if err != nil || reply.Status != status {
				t.Errorf("got %d, %v", reply.Status, err)
			}
			failure(t, provider.Faults{}.Failure(reply, ""), task.BadAnswer, task.Unknown)
			if n, _ := s.Count(""); n != 1 {
				t.Errorf("the service received %d requests", n)
			}
		})
	}
	t.Run("A paid call that net/http could repeat is refused", func(t *testing.T) {
		s, c := service(t, providertest.Draws())
		for _, r := range []provider.HTTPRequest{post(s.URL, ""), {Method: http.MethodGet, URL: s.URL, Body: []byte("{}")}} {
			_, err := c.Do(t.Context(), r)
			failure(t, err, task.Internal, task.NotExecuted)
		}
		if n, _ := s.Count(""); n != 0 {
			t.Errorf("the service received %d requests", n)
		}
	})
}

// lateContext is that of a process that stood still: its deadline is over, and
// the timer that ends it has not run.
type lateContext struct{ context.Context }

func (lateContext) Deadline() (time.Time, bool) { return time.Now().Add(-time.Second), true }

func TestDoKnowsWhatWasNotSent(t *testing.T) {
	dials := func(dial func(context.Context, string, string) (net.Conn, error)) *provider.Client {
		transport := provider.NewTransport()
		transport.DialContext = dial
		return &provider.Client{HTTP: &http.Client{Transport: transport}}
	}
	t.Run("A name that does not resolve", func(t *testing.T) {
		c := dials(func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "host.test"}}
		})
		_, err := c.Do(t.Context(), post("http://host.test/?key=SECRET", `{}`))
		f := failure(t, err, task.Unavailable, task.NotExecuted)
		if text := f.Error() + f.Cause.Error(); strings.Contains(text, "SECRET") {
			t.Errorf("the query of the URL is shown: %s", text)
		}
	})
	t.Run("A dial that outlasts the deadline", func(t *testing.T) {
		over := make(chan struct{}) // net/http lets a dial outlive its request
		defer close(over)
		c := dials(func(context.Context, string, string) (net.Conn, error) {
			<-over
			return nil, errors.New("too late")
		})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		_, err := c.Do(ctx, post("http://host.test", `{}`))
		failure(t, err, task.Unavailable, task.NotExecuted)
	})
	t.Run("A deadline that is over before the request is written, though nothing has said so yet", func(t *testing.T) {
		s, c := service(t, providertest.Draws())
		_, err := c.Do(lateContext{t.Context()}, post(s.URL, `{}`))
		failure(t, err, task.Unavailable, task.NotExecuted)
		if billed, _ := s.Count(""); billed != 0 {
			for _, e := range s.Ledger() {
				if e.Billed && len(e.Body) > 0 {
					t.Errorf("it was sent and billed: %+v", e)
				}
			}
		}
	})
	t.Run("A permission that ends while the request is dialled", func(t *testing.T) {
		s, _ := service(t, providertest.Draws())
		held := true
		c := dials(func(ctx context.Context, network, address string) (net.Conn, error) {
			held = false
			return (&net.Dialer{}).DialContext(ctx, network, address)
		})
		r := post(s.URL, `{}`)
		r.MaySend = func() bool { return held }
		_, err := c.Do(t.Context(), r)
		failure(t, err, task.Unavailable, task.NotExecuted)
		for _, e := range s.Ledger() {
			if len(e.Body) > 0 {
				t.Errorf("it was sent: %+v", e)
			}
		}
	})
	t.Run("A certificate that is not trusted", func(t *testing.T) {
		s := httptest.NewUnstartedServer(http.NotFoundHandler())
		s.Config.ErrorLog = quiet()
		s.StartTLS()
		defer s.Close()
		_, err := (&provider.Client{HTTP: &http.Client{Transport: provider.NewTransport()}}).Do(t.Context(), post(s.URL, `{}`))
		failure(t, err, task.Unavailable, task.NotExecuted)
	})
	t.Run("A proxy that refuses", func(t *testing.T) {
		proxy, _ := service(t, providertest.Draws())
		transport := provider.NewTransport()
		transport.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(proxy.URL) }
		_, err := (&provider.Client{HTTP: &http.Client{Transport: transport}}).Do(t.Context(), post("https://host.test", `{}`))
		failure(t, err, task.Unavailable, task.NotExecuted)
	})
	t.Run("A body that is cut off before its end", func(t *testing.T) {
		s, c := service(t, providertest.ResetsUnread())
		_, err := c.Do(t.Context(), provider.HTTPRequest{Method: http.MethodPost, URL: s.URL, Body: make([]byte, 64<<20)})
		failure(t, err, task.Unavailable, task.NotExecuted)
	})
	t.Run("A base URL that is none", func(t *testing.T) {
		_, err := (&provider.Client{}).Do(t.Context(), post("http://host.test:x/%zz?key=SECRET", `{}`))
		if f := failure(t, err, task.Internal, task.NotExecuted); strings.Contains(f.Error(), "SECRET") {
			t.Errorf("the query of the URL is shown: %v", f)
		}
	})
}

func TestBodyIsSentWhole(t *testing.T) {
	s, c := service(t, providertest.Draws())
	want := bytes.Repeat([]byte("0123456789"), 100_000)
	if _, err := c.Do(t.Context(), provider.HTTPRequest{Method: http.MethodPost, URL: s.URL, Body: want}); err != nil {
		t.Fatal(err)
	}
	if got := s.Ledger()[0].Body; !bytes.Equal(got, want) {
		t.Errorf("the service received %d bytes; want %d", len(got), len(want))
	}
}

// quiet is a log for servers that are meant to be refused.
func quiet() *log.Logger { return log.New(io.Discard, "", 0) }
