package task

import "strings"

// RowError is what a row keeps of a Failure: why, and what can be done about it. ErrorMsg is
// all of it in English, for those who read nothing else.
type RowError struct {
	ErrorMsg    string `json:"error_msg,omitempty"`
	ErrorKind   Kind   `json:"error_kind,omitempty"`
	ErrorCode   string `json:"error_code,omitempty"`   // the provider's own
	ErrorAdvice Advice `json:"error_advice,omitempty"` // what ErrorMsg ends with
	ErrorAbout  string `json:"error_about,omitempty"`  // the argument of ErrorAdvice
}

// RowError returns what a row keeps of f.
func (f *Failure) RowError() RowError {
	return RowError{ErrorMsg: f.Error(), ErrorKind: f.Kind, ErrorCode: f.Code, ErrorAdvice: f.Advice, ErrorAbout: f.About}
}

// Advised reports whether ErrorMsg ends with the advice. If not, one of the two was written by
// another release, and ErrorMsg alone is right.
func (e RowError) Advised() bool {
	return e.ErrorAdvice != "" && strings.HasSuffix(e.ErrorMsg, e.ErrorAdvice.Ending(e.ErrorAbout))
}

// Reason is ErrorMsg without the advice at its end, for whoever tells that in other words.
func (e RowError) Reason() string {
	if !e.Advised() {
		return e.ErrorMsg
	}
	return strings.TrimSuffix(e.ErrorMsg, e.ErrorAdvice.Ending(e.ErrorAbout))
}

// Failure is the failure that the row keeps, of a call that was executed so.
func (e RowError) Failure(x Execution) *Failure {
	f := &Failure{Kind: e.ErrorKind, Executed: x, Code: e.ErrorCode, Message: e.Reason()}
	if e.Advised() {
		f.Advice, f.About = e.ErrorAdvice, e.ErrorAbout
	}
	return f
}
