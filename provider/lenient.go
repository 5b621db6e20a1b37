package provider

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Services answer with other types than their documentation names, and a paid
// answer must not be lost for one of them. The types here take what they can read
// and are empty otherwise; decoding into them never fails.

// Text is a text, or a number or truth value as it is written.
type Text string

// UnmarshalJSON implements json.Unmarshaler.
func (t *Text) UnmarshalJSON(raw []byte) error {
	*t = Text(plainText(raw))
	return nil
}

// Number is a number as it is written, also within a text; empty if there is none.
type Number string

// UnmarshalJSON implements json.Unmarshaler.
func (n *Number) UnmarshalJSON(raw []byte) error {
	*n = ""
	text := strings.TrimSpace(plainText(raw))
	if f, err := strconv.ParseFloat(text, 64); err == nil && f-f == 0 && len(text) <= 64 {
		*n = Number(text)
	}
	return nil
}

// MarshalJSON writes the number, and null where there is none.
func (n Number) MarshalJSON() ([]byte, error) {
	if !json.Valid([]byte(n)) { // such as +1 or .5
		return []byte("null"), nil
	}
	return []byte(n), nil
}

// Int returns the number if it is whole and fits.
func (n Number) Int() (int64, bool) {
	if whole, err := strconv.ParseInt(string(n), 10, 64); err == nil {
		return whole, true
	}
	f, ok := n.Float()
	if !ok || f != math.Trunc(f) || math.Abs(f) >= 1<<53 {
		return 0, false
	}
	return int64(f), true
}

// Whole is Int for where nil stands for none.
func (n Number) Whole() *int64 {
	if whole, ok := n.Int(); ok {
		return &whole
	}
	return nil
}

// Float returns the number.
func (n Number) Float() (float64, bool) {
	f, err := strconv.ParseFloat(string(n), 64)
	return f, err == nil && f-f == 0
}

// Count returns a number of things that are billed, rounded up: what is counted is
// never cheaper than it is.
func (n Number) Count() (int64, bool) {
	f, ok := n.Float()
	if !ok || f < 0 {
		return 0, false
	}
	return int64(math.Ceil(min(f, 1e15))), true
}

// List is a list without what is null or of another form; a single member without
// its list is a list of one.
type List[T any] []T

// UnmarshalJSON implements json.Unmarshaler.
func (l *List[T]) UnmarshalJSON(raw []byte) error {
	*l = nil
	members := membersOf(raw)
	for _, member := range members {
		var v T
		if kindOf(member) != 'n' && json.Unmarshal(member, &v) == nil {
			*l = append(*l, v)
		}
	}
	return nil
}

// view is a value where it stands in the text that it was read from, uncopied: for
// json.Unmarshal alone, whose caller owns that text.
type view []byte

func (v *view) UnmarshalJSON(raw []byte) error {
	*v = raw
	return nil
}

// membersOf returns the members of a list, or any other value as the only one.
func membersOf(raw []byte) []view {
	var members []view
	if kindOf(raw) != '[' {
		return []view{raw}
	}
	json.Unmarshal(raw, &members) // of valid JSON: cannot fail
	return members
}

// kindOf is the first character of a JSON value: it tells what the value is.
func kindOf(raw []byte) byte {
	if raw = bytes.TrimLeft(raw, " \t\r\n"); len(raw) > 0 {
		return raw[0]
	}
	return 0
}

// plainText is a text, or a number or truth value as it is written.
func plainText(raw []byte) string {
	switch kindOf(raw) {
	case '"':
		var text string
		json.Unmarshal(raw, &text) // of valid JSON: cannot fail
		return text
	case 'n', '{', '[':
		return ""
	}
	return string(bytes.TrimSpace(raw))
}

// unread says in words what of an answer could not be read.
func unread(err error) string {
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) {
		return Scrub(err.Error())
	}
	field := wrong.Field
	if field == "" {
		field = "the answer"
	}
	return Scrub(fmt.Sprintf("%s is a %s and is left out", field, cut(wrong.Value, 64)))
}
