package fakeprovider

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// control takes what becomes of the next calls, and for how long to be shut.
func (s *Server) control(w http.ResponseWriter, r *http.Request) {
	var c Control
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	dec.DisallowUnknownFields()
	err := dec.Decode(&c)
	if err == nil {
		err = c.check()
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, "bad_request", err.Error())
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case c.Calm:
		s.faults, s.shut, s.heeds = nil, time.Time{}, ""
	case len(s.faults)+len(c.Faults) > maxFaults:
		refuse(w, http.StatusTooManyRequests, "too_many", "more faults than are kept")
		return
	}
	s.faults = append(s.faults, c.Faults...)
	if c.ShutMillis > 0 {
		s.shut = time.Now().Add(time.Duration(c.ShutMillis) * time.Millisecond)
	}
	if c.Cancels != "" {
		s.heeds = c.Cancels
	}
	w.WriteHeader(http.StatusNoContent)
}

// How a cancel may be taken that is answered well.
const (
	Deaf = "deaf" // the job is drawn all the same
	Late = "late" // it stops a while after
)

// Control is what a fake provider can be told.
type Control struct {
	Faults     []string `json:"faults,omitempty"`      // of the next calls, one each
	ShutMillis int      `json:"shut_millis,omitempty"` // answer 503 to everything for so long, at most an hour
	Cancels    string   `json:"cancels,omitempty"`     // how cancels are taken from now on: Deaf or Late; at once until then
	Calm       bool     `json:"calm,omitempty"`        // forget what was told before
}

func (c Control) check() error {
	for _, f := range c.Faults {
		if _, known := knownFaults[f]; !known {
			return fmt.Errorf("fault %q is not known", f)
		}
	}
	if c.Cancels != "" && c.Cancels != Deaf && c.Cancels != Late {
		return fmt.Errorf("cancels is %q; accepted are %s and %s", c.Cancels, Deaf, Late)
	}
	if c.ShutMillis < 0 || c.ShutMillis > 3_600_000 {
		return errors.New("shut_millis is out of 0 to 3600000")
	}
	return nil
}
