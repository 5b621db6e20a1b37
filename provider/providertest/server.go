// Package providertest is for those who write an adapter, or test what uses one:
// a conformance suite that every adapter passes (Run), and an image service on a
// loopback port that keeps a ledger and misbehaves on demand (Server).
package providertest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
)

// Endpoint returns what a service answers to a submit when all goes well. It is
// asked only of submits that are billed.
type Endpoint func(s *Server, body []byte) []byte

// Ask returns what a service answers, when all goes well, to a request that costs
// nothing: a poll, a cancel, a look-up, an upload.
type Ask func(s *Server, r *http.Request, body []byte) (status int, answer []byte)

// Service is how one image service speaks. A path that ends in a slash stands for
// all below it.
type Service struct {
	Submits map[string]Endpoint // what costs money, by path; all are POSTs
	Asks    map[string]Ask      // what does not, by "METHOD /path", which may have wildcards

	// Free tells the requests that cost nothing where their path does not; nil for
	// all others.
	Free func(r *http.Request) Ask
}

// Submit is one entry of the ledger: a POST that reached the service.
type Submit struct {
	Path   string
	Query  string
	Header http.Header
	Body   []byte // empty if the service never read it
	Prompt string // the field "prompt" of a JSON body
	Key    string // X-Client-Request-Id
	From   string // the caller's address and port: the same on a reused connection
	Billed bool   // the service drew, whatever the caller came to see
}

// Server is an image service. It is safe for concurrent use.
type Server struct {
	URL string

	http *httptest.Server

	mu       sync.Mutex
	behave   func(Submit) Behaviour
	download *Behaviour
	answers  *Behaviour // to what costs nothing
	ledger   []Submit
	asked    []Asked
	jobs     []*Job
	waits    int
	deaf     bool // to cancels
}

// Start starts a service that speaks so. GETs below /pictures/ are downloads of
// pictures that PictureURL has named. The caller closes it.
func Start(service Service) *Server {
	s := &Server{waits: 1}
	mux := http.NewServeMux()
	for path, e := range service.Submits {
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
			if service.Free != nil {
				if ask := service.Free(r); ask != nil {
					s.ask(w, r, ask)
					return
				}
			}
			s.submit(w, r, e)
		})
	}
	for pattern, ask := range service.Asks {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { s.ask(w, r, ask) })
	}
	mux.HandleFunc("GET "+pictures, s.picture)
	s.http = httptest.NewServer(mux)
	s.URL = s.http.URL
	return s
}

// StartAll starts a service that speaks as OpenAI (at OpenAIURL) and as Ark (at ArkURL).
func StartAll() *Server {
	return Start(Service{Submits: map[string]Endpoint{
		"/openai/v1/images/generations":  OpenAI,
		"/openai/v1/images/edits":        OpenAI,
		"/ark/api/v3/images/generations": Ark,
	}})
}

// OpenAIURL is the base URL of the OpenAI endpoints that StartAll serves.
func (s *Server) OpenAIURL() string { return s.URL + "/openai/v1" }

// ArkURL is the base URL of the Ark endpoints that StartAll serves.
func (s *Server) ArkURL() string { return s.URL + "/ark/api/v3" }

// Close breaks every connection and returns when all handlers have ended.
func (s *Server) Close() {
	s.http.CloseClientConnections()
	s.http.Close()
}

// Behave makes the service ask choose how to treat each submit from now on; nil
// makes it behave well. Choose sees the submit with its body, and must be safe
// for concurrent use.
func (s *Server) Behave(choose func(Submit) Behaviour) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.behave = choose
}

// Always makes the service treat every submit the same way from now on.
func (s *Server) Always(b Behaviour) { s.Behave(func(Submit) Behaviour { return b }) }

// Downloads makes the service treat every download that way from now on.
func (s *Server) Downloads(b Behaviour) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.download = &b
}

// Ledger returns every submit so far, in the order of their arrival.
func (s *Server) Ledger() []Submit {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.ledger)
}

// Count returns how many submits have arrived, and how many of them were billed:
// those of prompt, or all if it is empty. A submit whose body was never read
// counts only in all.
func (s *Server) Count(prompt string) (submits, billed int) {
	for _, e := range s.Ledger() {
		if prompt != "" && e.Prompt != prompt {
			continue
		}
		submits++
		if e.Billed {
			billed++
		}
	}
	return submits, billed
}

func (s *Server) submit(w http.ResponseWriter, r *http.Request, answer Endpoint) {
	entry := Submit{Path: r.URL.Path, Query: r.URL.RawQuery, Header: r.Header.Clone(), Key: r.Header.Get("X-Client-Request-Id"), From: r.RemoteAddr}
	behaviour := s.choose(entry)
	if !behaviour.Unread {
		entry.Body, _ = io.ReadAll(r.Body)
		var asked struct{ Prompt string }
		if json.Unmarshal(entry.Body, &asked) == nil {
			entry.Prompt = asked.Prompt
		}
		behaviour = s.choose(entry)
	}
	entry.Billed = behaviour.Bills
	s.mu.Lock()
	s.ledger = append(s.ledger, entry)
	s.mu.Unlock()
	var good []byte
	if behaviour.Bills {
		good = answer(s, entry.Body)
	}
	behaviour.Serve(w, r, good)
}

func (s *Server) choose(e Submit) Behaviour {
	s.mu.Lock()
	choose := s.behave
	s.mu.Unlock()
	if choose == nil {
		return Draws()
	}
	return choose(e)
}
