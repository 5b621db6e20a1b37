package fakeprovider

import (
	"encoding/json"
	"net/http"
)

// protocol is how a fake provider speaks to those who order: as itself, or as a real service.
type protocol interface {
	// take answers a call that was taken on.
	take(s *Server, w http.ResponseWriter, r *http.Request, j job)
	// refuse answers a call, or a question, that gets nothing.
	refuse(w http.ResponseWriter, status int, code, message string)
	// sure reports whether a caller that is refused with this status knows that
	// nothing was drawn.
	sure(status int) bool
}

// own is the fake provider's own protocol, which Adapter understands.
type own struct{}

func (own) take(s *Server, w http.ResponseWriter, r *http.Request, j job) {
	if j.class == "sync" {
		s.say(w, r, &j)
		return
	}
	write(w, reply{Job: j.id, State: working, AfterMS: pollAfter.Milliseconds()})
}

func (own) refuse(w http.ResponseWriter, status int, code, message string) {
	refuse(w, status, code, message)
}

func (own) sure(int) bool { return true }

// writeJSON answers with a document; a caller that left hears nothing.
func writeJSON(w http.ResponseWriter, status int, document any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(document)
}
