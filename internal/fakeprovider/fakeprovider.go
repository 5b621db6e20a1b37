// Package fakeprovider is an image service to try things with: a server that draws,
// bills, keeps its own book of what it billed and misbehaves on demand, and the
// adapter that speaks to it. Nothing that happens to easel happens to it, so its
// book is the truth about money.
//
// The path of its base URL says whom it plays: /CLASS/NAME, where NAME is the
// provider's name in the book, and CLASS what the service gives its callers
// against paying twice:
//
//	idempotent  it honours the caller's key: the same key is the same job, billed once
//	lookup      the caller's key can be looked up afterwards
//	async       it works on, and only it knows the job's id
//	sync        it answers in the call
//
// Below that path it also speaks as real services of the classes do, for their own
// adapters: as ComfyUI (lookup), as Replicate, with callbacks (async, at /async/NAME/v1), and as
// OpenAI (sync, at /sync/NAME/v1). No real service honours a key.
package fakeprovider

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// classes are the kinds of service that there are.
var classes = []string{"idempotent", "lookup", "async", "sync"}

const (
	maxBody   = 1 << 20
	maxFaults = 10_000
	costPaid  = 40_000 // micro-units that one picture costs
	currency  = "USD"
	pollAfter = 500 * time.Millisecond
)

// Options is what a fake provider is like.
type Options struct {
	Ledger  string        // file that the book is appended to; required
	Takes   time.Duration // how long a picture takes, give or take half; 0 is at once
	Latency time.Duration // before a call that is not drawn in is answered
	Key     string        // bearer token that callers must have; empty takes any
	Token   string        // stands in the query of picture URLs, as a signature would
	Seed    uint64        // of the time that pictures take
	Inline  bool          // class sync answers with the picture itself, not with its address

	// CallbackSecret signs callbacks, as Replicate does: "whsec_" and base64. Empty signs none.
	CallbackSecret string
}

// Server is a fake provider. It is an http.Handler, safe for concurrent use. What it
// has drawn lives as long as the process; its book stays.
type Server struct {
	Options
	book *book
	mux  *http.ServeMux

	calling sync.WaitGroup  // callbacks on their way
	closing context.Context // ends when the fake provider closes
	close   context.CancelFunc

	mu     sync.Mutex
	rnd    *rand.Rand
	jobs   map[string]*job
	keys   map[[2]string]*job // by provider and key
	faults []string           // what becomes of the next calls
	shut   time.Time          // until then nothing is answered but 503
	heeds  string             // how it takes cancels; see Control
}

// job is one picture that was ordered.
type job struct {
	id, provider, class, key, tag string
	callback                      string // where to call back when it is ready; empty is nowhere
	ready                         time.Time
	fails                         bool      // it will turn out that it cannot be drawn; not billed
	stops                         time.Time // when it stops, unless it is done before; zero is never
	picture                       []byte
	sha256                        string
}

// Open opens the book and returns a fake provider. The caller closes it.
func Open(o Options) (*Server, error) {
	b, err := openBook(o.Ledger)
	if err != nil {
		return nil, fmt.Errorf("open the fake provider's book: %w", err)
	}
	s := &Server{Options: o, book: b, mux: http.NewServeMux(), rnd: rand.New(rand.NewPCG(o.Seed, 2)),
		jobs: make(map[string]*job), keys: make(map[[2]string]*job)}
	s.closing, s.close = context.WithCancel(context.Background())
	s.mux.HandleFunc("POST /{class}/{name}/draw", s.known(s.draw))
	s.mux.HandleFunc("GET /{class}/{name}/jobs/{job}", s.known(s.poll))
	s.mux.HandleFunc("DELETE /{class}/{name}/jobs/{job}", s.known(s.cancel))
	s.mux.HandleFunc("GET /{class}/{name}/keys/{key}", s.known(s.lookUp))
	s.speakOpenAI()
	s.speakReplicate()
	s.speakComfyUI()
	s.mux.HandleFunc("GET /pictures/{job}", s.download)
	s.mux.HandleFunc("POST /control", s.control)
	return s, nil
}

// Close gives callbacks up and closes the book.
func (s *Server) Close() error {
	s.close()
	s.calling.Wait()
	return s.book.close()
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	shut := time.Now().Before(s.shut)
	s.mu.Unlock()
	if shut && r.URL.Path != "/control" {
		refuse(w, http.StatusServiceUnavailable, "shut", "the fake provider is shut for a while")
		return
	}
	s.mux.ServeHTTP(w, r)
}

// known refuses callers without the key, and classes that there are not.
func (s *Server) known(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		class := r.PathValue("class")
		switch {
		case !slices.Contains(classes, class):
			refuse(w, http.StatusNotFound, "no_such_class", "class is one of idempotent, lookup, async and sync")
		case s.Key != "" && r.Header.Get("Authorization") != "Bearer "+s.Key:
			refuse(w, http.StatusUnauthorized, "no_such_caller", "the key is not known here")
		default:
			h(w, r)
		}
	}
}

// draw takes a call in, as the fake provider itself.
func (s *Server) draw(w http.ResponseWriter, r *http.Request) {
	var asked struct{ Prompt string }
	if !s.read(w, r, own{}, &asked) {
		return
	}
	s.take(w, r, own{}, order{key: r.Header.Get("X-Client-Request-Id"), prompt: asked.Prompt})
}

// read reads the call's JSON, or refuses the call.
func (s *Server) read(w http.ResponseWriter, r *http.Request, v protocol, into any) bool {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil || json.Unmarshal(body, into) != nil {
		v.refuse(w, http.StatusBadRequest, "bad_request", "a JSON document is wanted")
		return false
	}
	return true
}

// order is what a call asks for.
type order struct {
	key, prompt string
	callback    string // where to call back; empty is nowhere
}

// take turns a call away, or draws and answers. A fake provider of class idempotent that knows the
// key draws and bills nothing again.
func (s *Server) take(w http.ResponseWriter, r *http.Request, v protocol, o order) {
	if o.prompt == "" {
		v.refuse(w, http.StatusBadRequest, "bad_request", "there is no prompt")
		return
	}
	e := entry{Provider: r.PathValue("name"), Class: r.PathValue("class"), Key: o.key, Tag: tagOf(o.prompt)}
	fault := s.nextFault()
	if status, code := turnedAway(fault); status != 0 {
		e.Event, e.Detail, e.Cut = "refused", fault, Ambiguous(fault) || !v.sure(status)
		s.enter(w, e)
		if code == gatewayPage {
			badGateway(w)
			return
		}
		w.Header().Set("Retry-After", "2")
		v.refuse(w, status, code, "nothing was drawn")
		return
	}
	j, err := s.begin(e, fault, o.callback)
	if err != nil {
		v.refuse(w, http.StatusInternalServerError, "no_book", err.Error())
		return
	}
	s.answer(w, r, v, j, fault)
}

// begin draws and writes the bill, before anybody hears of it.
func (s *Server) begin(e entry, fault, callback string) (*job, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := [2]string{e.Provider, e.Key}
	if known := s.keys[held]; known != nil && e.Class == "idempotent" {
		e.Event, e.Job = "duplicate", known.id
		return known, s.book.enter(e)
	}
	j := &job{id: fmt.Sprintf("%s-%d", e.Provider, len(s.jobs)+1), provider: e.Provider, class: e.Class, key: e.Key, tag: e.Tag,
		callback: callback, ready: time.Now().Add(s.takes()), fails: fault == Fails}
	j.picture, j.sha256 = paint(j.id, j.tag)
	e.Event, e.Job, e.Billed, e.Cut, e.Detail, e.Pictures = "submit", j.id, !j.fails, Ambiguous(fault), fault, []string{j.sha256}
	if err := s.book.enter(e); err != nil {
		return nil, err
	}
	s.jobs[j.id] = j
	if e.Key != "" && (e.Class == "idempotent" || e.Class == "lookup") {
		s.keys[held] = j
	}
	if j.callback != "" {
		s.calling.Go(func() { s.callBack(j) })
	}
	return j, nil
}

// takes is how long the next picture takes. The caller holds mu.
func (s *Server) takes() time.Duration {
	if s.Takes <= 0 {
		return 0
	}
	return s.Takes/2 + time.Duration(s.rnd.Int64N(int64(s.Takes)))
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request, v protocol, j *job, fault string) {
	wait := s.Latency
	if j.class == "sync" {
		wait = time.Until(j.ready)
	}
	if !pause(r.Context(), wait) {
		return
	}
	switch fault {
	case Hang:
		<-r.Context().Done()
	case Cut:
		cut(w)
	case Broken:
		v.refuse(w, http.StatusInternalServerError, "internal", "the fake provider broke after it had drawn")
	case Page:
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<html><body>Bad gateway</body></html>")
	default:
		v.take(s, w, r, s.now(j))
	}
}

// badGateway is what a gateway before the fake provider answers.
func badGateway(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(http.StatusBadGateway)
	_, _ = io.WriteString(w, "<html><body>Bad gateway</body></html>")
}

// pause waits, and reports whether it was not given up.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// cut breaks the connection so that the caller sees a reset.
func cut(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	conn.Close()
}

// enter writes a line that nobody's money depends on.
func (s *Server) enter(w http.ResponseWriter, e entry) {
	if err := s.book.enter(e); err != nil {
		w.Header().Set("X-Book", "failed")
	}
}
