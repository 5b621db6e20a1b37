package providertest

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

// Suite is what Run needs to know of an adapter.
type Suite struct {
	// New makes the adapter for a service whose every path below baseURL takes
	// submits.
	New func(baseURL string, key provider.Secret, c *provider.Client) (provider.Provider, error)
	// Answer is the service's good answer to Request.
	Answer Endpoint
	// Request is one that the adapter accepts, and that its service answers.
	Request provider.Request
	// Faults is the adapter's table of errors; each row is tried.
	Faults provider.Faults
	// ErrorBody is how the service writes an error.
	ErrorBody func(code, message string) []byte
}

const (
	// canary is the account's key: it must come out nowhere.
	canary = "canary-7f3a/9+b=c"
	// trace is what no text may hold: a part of the key is too much already.
	trace = "canary-"
	// maxReply is the bound on an answer's length in all cases.
	maxReply = 1 << 20
	// patience is how long a call waits that is meant to run out of time; long
	// enough to be sent on a busy machine.
	patience = time.Second
)

// Run tries the adapter against a service that does all a service can do, and
// reports what breaks the contract of provider.Provider. It must not run beside
// other tests, for it counts goroutines.
func Run(t *testing.T, s Suite) {
	before := runtime.NumGoroutine()
	t.Run("A request is prepared the same way each time", s.prepares)
	t.Run("A good answer ends in pictures or a handle after one request", s.succeeds)
	t.Run("No answer that cannot be read is taken for a success or sent again", s.misbehaves)
	t.Run("A call whose time ends while the service draws may have been carried out", s.endures)
	t.Run("Each status has its failure", s.statuses)
	t.Run("Each row of the table of errors is honoured", s.rows)
	t.Run("A wait that the service asks for is passed on", s.waits)
	t.Run("A call that could not be sent may be made again", s.unsent)
	t.Run("A reused connection that dies does not send the call twice", s.reused)
	t.Run("The key comes out nowhere", s.secret)
	t.Run("No goroutine is left behind", func(t *testing.T) { settles(t, before) })
}

// bench is one adapter before one service.
type bench struct {
	*Server
	provider provider.Provider
	call     provider.Call
}

func (s Suite) bench(t *testing.T) *bench {
	t.Helper()
	server := Start(map[string]Endpoint{"/": s.Answer})
	transport := provider.NewTransport()
	t.Cleanup(func() {
		server.Close()
		transport.CloseIdleConnections()
	})
	p, err := s.New(server.URL, canary, &provider.Client{HTTP: &http.Client{Transport: transport}, MaxReply: maxReply})
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	call, err := p.Prepare(s.Request)
	if err != nil {
		t.Fatalf("Prepare of the suite's request: %v", err)
	}
	call.Key, call.Number = "0198c0de-0000-7000-8000-000000000001", 1
	return &bench{server, p, call}
}

// fails submits to a service that behaves so, and returns the failure. It
// reports a success, a second request, and an error that is no failure.
func (b *bench) fails(ctx context.Context, t *testing.T, how Behaviour) *task.Failure {
	t.Helper()
	b.Always(how)
	before, _ := b.Count("")
	answer, err := b.provider.Submit(ctx, b.call)
	if err == nil {
		t.Fatalf("Submit succeeded: %+v", answer)
	}
	f, ok := err.(*task.Failure)
	switch {
	case !ok:
		t.Fatalf("the error is a %T, not a *task.Failure: %v", err, err)
	case f.Message == "" || f.Kind == "":
		t.Errorf("the failure lacks a message or a kind: %#v", f)
	case f.Executed != task.No && f.Executed != task.Maybe && f.Executed != task.Yes:
		t.Errorf("Executed is %q", f.Executed)
	}
	if after, _ := b.Count(""); after-before != 1 {
		t.Errorf("the service received %d requests; want 1", after-before)
	}
	concealed(t, f)
	return f
}

// concealed reports the key in any text of the failure.
func concealed(t *testing.T, f *task.Failure) {
	t.Helper()
	text := fmt.Sprintf("%+v %#v %s %v", *f, *f, f.Error(), f.Cause)
	if strings.Contains(text, trace) {
		t.Errorf("the failure shows the key: %s", text)
	}
}

// settles waits until no more goroutines run than before.
func settles(t *testing.T, before int) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(10 * time.Second)
	for runtime.NumGoroutine() > before+1 { // this subtest is one
		select {
		case <-tick.C:
		case <-timeout:
			stacks := make([]byte, 64<<10)
			t.Fatalf("%d goroutines ran before, %d after:\n%s", before, runtime.NumGoroutine(), stacks[:runtime.Stack(stacks, true)])
		}
	}
}
