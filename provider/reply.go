package provider

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/easelqueue/easel/task"
)

// maxRaw bounds what Keep returns.
const maxRaw = 64 << 10

// excerptLen is how much of an unreadable body a Failure shows.
const excerptLen = 512

// Reply is a service's answer, whatever its status. Its body may be cut at
// 64 kB if the status is no 2xx. A text in it of more than 64 kB is its beginning and a
// mark: Picture, Link and Outputs find the rest.
type Reply struct {
	Status     int
	Header     http.Header
	Body       []byte
	RequestID  string        // X-Request-Id, scrubbed
	RetryAfter time.Duration // what the service asks us to wait; 0 if it did not say

	base    string // against which relative addresses are resolved
	secrets []string
	free    bool
	notes   *[]string
	cut     bool   // the connection ended before the answer did, behind a whole document: it proves no failure
	faults  Faults // of the service, for what is told within a 2xx
	parts   *parts // long texts that are marked in Body
}

// OK reports whether the status is a 2xx.
func (r Reply) OK() bool { return r.Status >= 200 && r.Status < 300 }

// JSON reads the body into v: of several documents the last object. What in an object has
// another type than v expects is left out and noted. A body that is no JSON, or no
// object where v expects one, is a BadAnswer: what was bought cannot be read.
// One that is nothing but an error of the service's is that.
func (r Reply) JSON(v any) error {
	documents := r.Documents()
	if len(documents) == 0 {
		return r.illegible(json.Unmarshal(bytes.TrimSpace(r.Body), new(any)))
	}
	for _, document := range slices.Backward(documents) {
		if kindOf(document) == '{' {
			return r.Decode(document, v)
		}
	}
	return r.Decode(documents[len(documents)-1], v)
}

// Decode is JSON for one of the body's documents.
func (r Reply) Decode(document json.RawMessage, v any) error {
	err := json.Unmarshal(document, v)
	if err == nil {
		return nil
	}
	if kindOf(document) != '{' {
		return r.illegible(err)
	}
	r.note(unread(err))
	return nil
}

// illegible is the failure of a body that nothing can be read from.
func (r Reply) illegible(cause error) *task.Failure {
	if f := r.refused(); f != nil {
		return f
	}
	var f *task.Failure
	body := bytes.TrimSpace(r.Body)
	switch {
	case len(body) == 0:
		f = r.Bad("the provider's answer is empty")
	case body[0] == '<':
		f = r.Bad("the provider's answer is a web page and no JSON")
		f.Advice, f.About = task.CheckProxy, ""
	default:
		f = r.Bad("the provider's answer is no JSON of the expected form")
	}
	f.Detail, f.Cause = r.excerpt(), cause
	return f
}

// maxNotes bounds what is noted of one answer.
const maxNotes = 8

func (r Reply) note(text string) {
	if r.notes != nil && len(*r.notes) < maxNotes {
		*r.notes = append(*r.notes, text)
	}
}

// noted returns what of the answer could not be read.
func (r Reply) noted() []string {
	if r.notes == nil {
		return nil
	}
	return *r.notes
}

// Keep returns v as JSON for Answer.Raw: without the request's secrets, valid
// UTF-8, and nil if it is longer than 64 kB. The caller leaves out pictures
// and signed URLs.
func (r Reply) Keep(v any) json.RawMessage {
	if v == nil {
		return nil
	}
	raw, err := json.Marshal(v)
	if err != nil || len(raw) > maxRaw {
		return nil
	}
	return needlesOf(r.secrets).json(raw)
}

// Done is the answer of a service that has finished, with raw as Keep takes it.
// Without any picture it is a failure: that of Missing, or BadAnswer if there was
// none at all.
func (r Reply) Done(outputs []Output, raw any) (Answer, error) {
	if slices.ContainsFunc(outputs, func(o Output) bool { return o.Err == nil }) {
		return Answer{Done: true, Outputs: outputs, RequestID: r.RequestID, HTTPStatus: r.Status, Raw: r.Keep(raw), Notes: r.noted()}, nil
	}
	first := Missing(outputs)
	if first == nil {
		first = r.Bad("the provider's answer holds no picture")
		if first.Kind == task.BadAnswer {
			first.Detail = r.excerpt()
		}
	}
	if notes := r.noted(); len(notes) > 0 && first.Kind == task.BadAnswer {
		first.Detail = strings.Join(append(notes, first.Detail), "; ")
	}
	return Answer{}, first
}

// Missing is the failure that speaks for a call none of whose pictures came; nil if it has
// none. The first of the gravest does: the call is not billed only if the service says so
// of each picture, and did not happen only if that holds of each.
func Missing(outputs []Output) (f *task.Failure) {
	for _, o := range outputs {
		if o.Err != nil && (f == nil || weight(o.Err) > weight(f)) {
			f = o.Err
		}
	}
	return f
}

func weight(f *task.Failure) int {
	switch {
	case f.Executed == task.Executed && !f.Unbilled:
		return 3
	case f.Executed == task.Unknown:
		return 2
	case f.Executed == task.Executed:
		return 1
	}
	return 0
}

// Ended is the failure of a job that the service says has ended badly. Faults
// judge it by codes as they judge an answer, except that the job has ended: with
// NotExecuted it would be asked after for ever.
func (fs Faults) Ended(r Reply, message, text string, codes ...string) *task.Failure {
	row := Fault{Kind: task.ProviderError, Executed: task.Executed}
	for _, code := range codes {
		if found, ok := fs.named(code); ok {
			row = found
			break
		}
	}
	row.Executed, row.Model = task.Executed, false
	row.Unbilled = row.Unbilled && !byGateway(r.Status)
	f := r.failure(row, message)
	f.Detail = Scrub(text, r.secrets...)
	for _, code := range codes {
		if code != "" {
			f.Code = cut(redact(code, r.secrets), task.MaxText)
			break
		}
	}
	return f
}

// Gone is the failure of a job that the service does not know any more: whether
// it was carried out cannot be known.
func (r Reply) Gone(message string) *task.Failure {
	return &task.Failure{Kind: task.Expired, Executed: task.Unknown, Message: message, HTTPStatus: r.Status, RequestID: r.RequestID, Detail: r.excerpt()}
}

// Bad is an answer, or a picture of it, that cannot be used though it may have
// been paid for. An answer that is nothing but an error of the service's is that.
func (r Reply) Bad(message string) *task.Failure {
	if f := r.refused(); f != nil {
		return f
	}
	return r.failure(Fault{Kind: task.BadAnswer, Executed: task.Unknown}, message)
}

func (r Reply) failure(row Fault, message string) *task.Failure {
	f := &task.Failure{Kind: row.Kind, Executed: row.Executed, Message: message, Advice: row.Advice, About: row.About,
		Unbilled: row.Unbilled, OfModel: row.Model, HTTPStatus: r.Status, RequestID: r.RequestID, RetryAfter: r.RetryAfter}
	if r.cut && (f.Unbilled || f.Executed == task.NotExecuted) { // what would have come might have been a picture
		f.Executed, f.Unbilled = task.Unknown, false
	}
	if r.free && f.Executed == task.Unknown {
		f.Executed = task.NotExecuted
	}
	return f
}

// Scrub makes a text of the answer fit to be shown; see Scrub.
func (r Reply) Scrub(text string) string { return Scrub(text, r.secrets...) }

// longRun is what nobody reads: a picture in base64, as a rule.
var longRun = regexp.MustCompile(`[A-Za-z0-9+/_=-]{100,}`)

// excerpt is the beginning of the body, fit to be shown: of a picture in it there is
// no more than how long it is.
func (r Reply) excerpt() string {
	body := r.Body
	text := redact(string(body[:min(len(body), maxErrorBody-1)]), r.secrets)
	if len(body) > maxErrorBody-1 {
		longest := 0 // the end may hold the beginning of a secret
		for _, s := range r.secrets {
			longest = max(longest, 12*len(s)) // every character as two \\uXXXX
		}
		text = text[:max(len(text)-longest, 0)]
	}
	text = longRun.ReplaceAllStringFunc(text, func(run string) string { return fmt.Sprintf("%s… (%d characters)", run[:12], len(run)) })
	text = cut(text, excerptLen)
	if len(body) > maxErrorBody-1 {
		text += fmt.Sprintf(" (of %d bytes)", len(body))
	}
	return text
}

func answered(status int) string {
	if text := http.StatusText(status); text != "" {
		return fmt.Sprintf("the provider answered %d %s", status, text)
	}
	return fmt.Sprintf("the provider answered %d", status)
}
