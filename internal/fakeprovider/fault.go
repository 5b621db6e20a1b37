package fakeprovider

import "net/http"

// What may become of a call. Empty is nothing: it is drawn, billed and answered.
const (
	Busy    = "busy"    // turned away with 503 before anything began
	TooMany = "toomany" // turned away with 429
	Own     = "own"     // failed by the fake provider's own fault, and says so with 500; not billed
	Gateway = "gateway" // a gateway before the fake provider answers with its page; nothing is billed
	Fails   = "fails"   // taken on, but it cannot be drawn; not billed
	Broken  = "broken"  // drawn, billed, and answered with 500
	Cut     = "cut"     // drawn, billed, and the connection is reset
	Hang    = "hang"    // drawn, billed, and never answered
	Page    = "page"    // drawn, billed, and answered with a web page
)

// knownFaults says of each whether the caller is left without knowing what happened.
var knownFaults = map[string]bool{"": false, Busy: false, TooMany: false, Own: false, Gateway: true, Fails: false, Broken: true, Cut: true, Hang: true, Page: true}

// Ambiguous reports whether the fault leaves the caller without knowing what happened.
func Ambiguous(fault string) bool { return knownFaults[fault] }

// gatewayPage is the code of what is answered with a web page and no code.
const gatewayPage = "gateway_page"

// turnedAway is the answer of a fault that turns a call away; status 0 if it does not.
func turnedAway(fault string) (status int, code string) {
	switch fault {
	case Busy:
		return http.StatusServiceUnavailable, "busy"
	case TooMany:
		return http.StatusTooManyRequests, "too_many"
	case Own:
		return http.StatusInternalServerError, "own_fault"
	case Gateway:
		return http.StatusBadGateway, gatewayPage
	}
	return 0, ""
}

// nextFault returns what becomes of this call.
func (s *Server) nextFault() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.faults) == 0 {
		return ""
	}
	next := s.faults[0]
	s.faults = s.faults[1:]
	return next
}
