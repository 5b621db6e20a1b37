package studio

import "net/http"

// What may become of a call. Empty is nothing: it is drawn, billed and answered.
const (
	Busy    = "busy"    // turned away with 503 before anything began
	TooMany = "toomany" // turned away with 429
	Own     = "own"     // failed by the studio's own fault, and says so with 500; not billed
	Gateway = "gateway" // a gateway before the studio answers with its page; nothing is billed
	Fails   = "fails"   // taken on, but it cannot be drawn; not billed
	Broken  = "broken"  // drawn, billed, and answered with 500
	Cut     = "cut"     // drawn, billed, and the connection is reset
	Hang    = "hang"    // drawn, billed, and never answered
	Page    = "page"    // drawn, billed, and answered with a web page
)

// fates says of each whether the caller is left without knowing what happened.
var fates = map[string]bool{"": false, Busy: false, TooMany: false, Own: false, Gateway: true, Fails: false, Broken: true, Cut: true, Hang: true, Page: true}

// Ambiguous reports whether the fate leaves the caller without knowing what happened.
func Ambiguous(fate string) bool { return fates[fate] }

// gatewayPage is the code of what is answered with a web page and no code.
const gatewayPage = "gateway_page"

// refusal is the answer of a fate that turns a call away; status 0 if it does not.
func refusal(fate string) (status int, code string) {
	switch fate {
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

// fate returns what becomes of this call.
func (s *Server) fate() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.fates) == 0 {
		return ""
	}
	next := s.fates[0]
	s.fates = s.fates[1:]
	return next
}
