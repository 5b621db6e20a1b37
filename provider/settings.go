package provider

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/easelqueue/easel/task"
)

// Settings reads a request's own parameters into typed values. Each method names
// a parameter that the service knows, and returns a zero value where it is not
// given. Err, called last, tells all mistakes at once.
type Settings struct {
	Given map[string]string

	request  *Request // nil where nothing can be repeated
	known    []string
	refused  []string
	mistakes []string
}

// Text returns a parameter of at most limit characters.
func (s *Settings) Text(name string, limit int) string {
	v, ok := s.take(name)
	if ok && (v == "" || utf8.RuneCountInString(v) > limit) {
		s.mistake(name, v, fmt.Sprintf("1 to %d characters", limit))
		return ""
	}
	return v
}

// Enum returns a parameter that is one of values.
func (s *Settings) Enum(name string, values ...string) string {
	v, ok := s.take(name)
	if ok && !slices.Contains(values, v) {
		s.mistake(name, v, strings.Join(values, ", "))
		return ""
	}
	return v
}

// Int returns a whole number from low to high.
func (s *Settings) Int(name string, low, high int) *int {
	v, ok := s.take(name)
	if !ok {
		return nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < low || n > high {
		s.mistake(name, v, fmt.Sprintf("a whole number from %d to %d", low, high))
		return nil
	}
	return &n
}

// Bool returns true or false, and nil where the parameter is not given.
func (s *Settings) Bool(name string) *bool {
	v, ok := s.take(name)
	if !ok {
		return nil
	}
	on, ok := truth(v)
	if !ok {
		s.mistake(name, v, "true, false")
		return nil
	}
	return &on
}

// Refuse names a parameter of the service that a row cannot give, and why.
func (s *Settings) Refuse(name, why string) {
	s.refused = append(s.refused, name)
	if v, ok := s.Given[name]; ok {
		s.mistakes = append(s.mistakes, fmt.Sprintf("parameter %s is %q: %s; leave it out", name, cut(task.Quotable(v), 64), why))
	}
}

// Err returns an Invalid failure that names every parameter that no method has
// asked for, every value that was refused, and what is accepted instead.
func (s *Settings) Err() error {
	mistakes := s.mistakes
	for _, name := range slices.Sorted(maps.Keys(s.Given)) {
		if slices.Contains(s.known, name) || slices.Contains(s.refused, name) {
			continue
		}
		if mistake := s.unknown(name); mistake != "" {
			mistakes = append(mistakes, mistake)
		}
	}
	if len(mistakes) == 0 {
		return nil
	}
	return &task.Failure{Kind: task.Invalid, Executed: task.NotExecuted, Message: cut(strings.Join(mistakes, "; "), maxDetail),
		Advice: task.UseParameters, About: strings.Join(slices.Sorted(slices.Values(s.known)), ", ")}
}

// unknown is what is wrong with a parameter that no method has asked for, or empty.
func (s *Settings) unknown(name string) string {
	if s.request != nil {
		if mistake, is := s.request.repeated(name, s.Given[name]); is {
			return mistake
		}
	}
	return fmt.Sprintf("parameter %q is not known", cut(name, 64))
}

func (s *Settings) take(name string) (string, bool) {
	s.known = append(s.known, name)
	v, ok := s.Given[name]
	return v, ok
}

func (s *Settings) mistake(name, value, accepted string) {
	s.mistakes = append(s.mistakes, fmt.Sprintf("parameter %s is %q; accepted: %s", name, cut(task.Quotable(value), 64), accepted))
}
