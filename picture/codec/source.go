package codec

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// source rewinds and reads a picture for a decoder and remembers whether
// reading itself failed, so that a broken disk is not taken for a broken picture.
type source struct {
	r     io.ReadSeeker
	err   error
	ended bool // more was wanted than there is
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.ended = s.ended || err == io.EOF
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// blame turns what a decoder said of the subject into an *Error, unless reading failed.
func (s *source) blame(err error, subject string, args ...any) error {
	if s.err != nil {
		return fmt.Errorf("read the picture: %w", s.err)
	}
	e := &Error{Message: fmt.Sprintf(subject, args...), Cause: err}
	e.Incomplete = s.ended || errors.Is(err, errIncomplete) || errors.Is(err, errScans)
	if e.Incomplete {
		e.Message += " is incomplete: " + err.Error()
	} else {
		e.Message += " is damaged: " + err.Error()
	}
	return e
}

// guard runs a decoder over s from the beginning. A decoder that panics over
// hostile bytes has found them damaged; it must not end the process.
func guard[T any](s *source, decode func(*bufio.Reader) (T, error)) (v T, err error) {
	if _, s.err = s.r.Seek(0, io.SeekStart); s.err != nil {
		return v, s.err
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the decoder gave up: %v", p)
		}
	}()
	return decode(bufio.NewReader(s))
}

// prefix keeps the first bytes that are written to it.
type prefix struct{ bytes []byte }

const prefixLen = 1024

func (h *prefix) Write(p []byte) (int, error) {
	h.bytes = append(h.bytes, p[:min(len(p), prefixLen-len(h.bytes))]...)
	return len(p), nil
}
