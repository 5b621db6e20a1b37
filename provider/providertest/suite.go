package providertest

import (
	"cmp"
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
	// Service is how the service speaks. Its submits are tried under "/".
	Service Service
	// Key is what the account's key looks like where it is more than one word;
	// it must contain Canary.
	Key provider.Secret
	// Request is one that the adapter accepts, and that its service answers.
	Request provider.Request
	// Faults is the adapter's table of errors; each row is tried.
	Faults provider.Faults
	// ErrorBody is how the service writes an error.
	ErrorBody func(code, message string) []byte
	// UnknownParameter is the name of a parameter that the adapter refuses; empty
	// is one that no service has.
	UnknownParameter string
	// Refusals are answers to a submit that look like a success and are none.
	Refusals []Ending
	// Shapes are the service's own ways of answering otherwise than documented, beside
	// those that Shapes names for all.
	Shapes []Shape
	// Endings are answers to a poll that say how a job has ended badly.
	Endings []Ending
}

// Ending is an answer that must become that failure.
type Ending struct {
	Claim    string
	Status   int
	Body     string
	Header   []string // names and values
	Kind     task.Kind
	Executed task.Execution
	Code     string
}

// Canary is part of every account's key in the suite: it must come out nowhere.
const Canary = canary

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
	t.Run("An answer that looks like a success and is none becomes its failure", s.refusals)
	t.Run("An answer that is not as documented loses no picture and buys none twice", s.misshapes)
	t.Run("The key comes out nowhere", s.secret)
	t.Run("A job is followed to its pictures by whoever has its handle", s.follows)
	t.Run("A poll that goes wrong ends no job", s.pollsAgain)
	t.Run("A job that has ended badly becomes its failure", s.endings)
	t.Run("A job is cancelled where the service can", s.cancels)
	t.Run("A handle that is not ours is refused", s.strangeHandles)
	t.Run("A lost call is found again where the service can", s.recovers)
	t.Run("No goroutine is left behind", func(t *testing.T) { settles(t, before) })
}

// bench is one adapter before one service.
type bench struct {
	*Server
	provider provider.Provider
	call     provider.Call
	moved    func() provider.Provider // the same account as another worker has it, to whom the service has another address
	client   *provider.Client
}

func (s Suite) bench(t *testing.T) *bench {
	t.Helper()
	server := Start(s.Service)
	transport := provider.NewTransport()
	t.Cleanup(func() {
		server.Close()
		transport.CloseIdleConnections()
	})
	client := &provider.Client{HTTP: &http.Client{Transport: transport}, MaxReply: maxReply}
	open := func(at string) provider.Provider {
		p, err := s.New(at, cmp.Or(s.Key, canary), client)
		if err != nil {
			t.Fatalf("New: %v", err)
		}
		return p
	}
	p := open(server.URL)
	call, err := p.Prepare(s.Request)
	if err != nil {
		t.Fatalf("Prepare of the suite's request: %v", err)
	}
	call.Key, call.Number = "0198c0de-0000-7000-8000-000000000001", 1
	moved := func() provider.Provider { return open(strings.Replace(server.URL, "127.0.0.1", "localhost", 1)) }
	return &bench{server, p, call, moved, client}
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
	case f.Executed != task.NotExecuted && f.Executed != task.Unknown && f.Executed != task.Executed:
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
