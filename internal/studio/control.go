package studio

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
		s.fates, s.shut = nil, time.Time{}
	case len(s.fates)+len(c.Fates) > maxFates:
		refuse(w, http.StatusTooManyRequests, "too_many", "more fates than are kept")
		return
	}
	s.fates = append(s.fates, c.Fates...)
	if c.ShutMillis > 0 {
		s.shut = time.Now().Add(time.Duration(c.ShutMillis) * time.Millisecond)
	}
	w.WriteHeader(http.StatusNoContent)
}

// Control is what a studio can be told.
type Control struct {
	Fates      []string `json:"fates,omitempty"`       // of the next calls, one each
	ShutMillis int      `json:"shut_millis,omitempty"` // answer 503 to everything for so long, at most an hour
	Calm       bool     `json:"calm,omitempty"`        // forget what was told before
}

func (c Control) check() error {
	for _, f := range c.Fates {
		if _, known := fates[f]; !known {
			return fmt.Errorf("fate %q is not known", f)
		}
	}
	if c.ShutMillis < 0 || c.ShutMillis > 3_600_000 {
		return errors.New("shut_millis is out of 0 to 3600000")
	}
	return nil
}
