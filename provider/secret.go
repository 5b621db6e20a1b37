package provider

import (
	"errors"
	"fmt"
	"io"
)

// Secret is a key or password. It prints as *** in every format, so that a
// configuration can be logged whole; Reveal is the one way to its text. It
// must be an exported field, or lie behind a pointer, in what is printed: fmt
// does not ask unexported fields how they want to be shown.
type Secret string

const hidden = "***"

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }

// Check refuses what cannot be sent in a header: nothing, and anything but
// printable ASCII without spaces.
func (s Secret) Check() error {
	if s == "" {
		return errors.New("is empty")
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return fmt.Errorf("holds a space or an unprintable character at position %d; was it copied with its line end or with quotes", i+1)
		}
	}
	return nil
}

func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// Format implements fmt.Formatter for every verb.
func (s Secret) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// MarshalText implements encoding.TextMarshaler, and so serves JSON and YAML too.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
