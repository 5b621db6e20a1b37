package provider

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/easelqueue/easel/task"
)

// maxRevised bounds what a service makes of a prompt, in bytes.
const maxRevised = 4 * task.MaxPrompt

// Scrubbed returns p such that nothing of what it brings back for people holds one of
// the secrets, in whatever spelling, or a signed address: the texts of failures, ids,
// revised prompts and what is kept of a reply. Handles and the addresses of pictures
// stay as they are, since polls and downloads need them: they are for the journal, and
// for nobody's eyes. A panic of p goes on with its text scrubbed.
func Scrubbed(p Provider, secrets ...Secret) Provider {
	var plain []string
	for _, s := range secrets {
		plain = append(plain, secretsOf(s)...)
	}
	s := scrubbed{p, needlesOf(plain)}
	if to, ok := p.(Uploader); ok {
		return scrubbedUploader{s, to}
	}
	return s
}

type scrubbed struct {
	Provider
	hide *needles
}

// scrubbedUploader is for services whose Uploader whoever calls must be able to see.
type scrubbedUploader struct {
	scrubbed
	to Uploader
}

func (s scrubbed) Prepare(r Request) (Call, error) {
	c, err := s.Provider.Prepare(r)
	return c, s.failure(err)
}

func (s scrubbed) Submit(ctx context.Context, c Call) (Answer, error) {
	defer s.calm()
	return s.answer(s.Provider.Submit(ctx, c))
}

func (s scrubbed) Poll(ctx context.Context, handle json.RawMessage) (Answer, error) {
	defer s.calm()
	return s.answer(s.Provider.Poll(ctx, handle))
}

func (s scrubbed) Cancel(ctx context.Context, handle json.RawMessage) error {
	defer s.calm()
	return s.failure(s.Provider.Cancel(ctx, handle))
}

func (s scrubbed) Recover(ctx context.Context, l Lost) (Answer, error) {
	defer s.calm()
	return s.answer(s.Provider.Recover(ctx, l))
}

// ReadCallback implements CallbackReader; of services that do not call back it refuses everything.
func (s scrubbed) ReadCallback(c Callback) (json.RawMessage, string, error) {
	defer s.calm()
	reader, ok := s.Provider.(CallbackReader)
	if !ok {
		return nil, "", &task.Failure{Kind: task.Unsupported, Executed: task.NotExecuted, Message: "this service does not call back"}
	}
	handle, jobID, err := reader.ReadCallback(c)
	return handle, s.word(jobID), s.failure(err)
}

// PictureHeader implements Private; of other services it returns nil.
func (s scrubbed) PictureHeader(address string) http.Header {
	if private, ok := s.Provider.(Private); ok {
		return private.PictureHeader(address)
	}
	return nil
}

func (s scrubbedUploader) Upload(ctx context.Context, picture string) (string, error) {
	defer s.calm()
	reference, err := s.to.Upload(ctx, picture)
	return reference, s.failure(err)
}

func (s scrubbed) answer(a Answer, err error) (Answer, error) {
	a.JobID, a.RequestID, a.Raw = s.word(a.JobID), s.word(a.RequestID), s.json(a.Raw)
	for i := range a.Outputs {
		o := &a.Outputs[i]
		o.RevisedPrompt = cut(s.hide.text(o.RevisedPrompt), maxRevised)
		o.ContentType = s.word(o.ContentType)
		o.Source = cut(s.hide.line(Unsigned(o.URL)), maxDetail)
		if o.Err != nil {
			o.Err = s.scrub(o.Err)
		}
	}
	return a, s.failure(err)
}

// word is a short text, such as an id.
func (s scrubbed) word(text string) string { return cut(s.hide.line(text), task.MaxText) }

// failure scrubs err, which is nil or, as everywhere, a *task.Failure.
func (s scrubbed) failure(err error) error {
	if err == nil {
		return nil
	}
	return s.scrub(task.AsFailure(err))
}

func (s scrubbed) scrub(f *task.Failure) *task.Failure {
	clean := *f
	clean.Code, clean.RequestID = s.word(f.Code), s.word(f.RequestID)
	for _, text := range []*string{&clean.Message, &clean.Detail, &clean.About} {
		*text = cut(s.hide.line(*text), maxDetail)
	}
	return &clean
}

// calm lets a panic go on, for whoever gives up the task, without a secret.
func (s scrubbed) calm() {
	if p := recover(); p != nil {
		panic(cut(s.hide.line(fmt.Sprint(p)), maxDetail))
	}
}

func (s scrubbed) json(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return raw
	}
	return s.hide.json(raw)
}

// ScrubJSON returns what people may see of raw, such as a handle: without the secrets
// and what signs an address. It is nil for what is no JSON.
func ScrubJSON(raw json.RawMessage, secrets ...Secret) json.RawMessage {
	return Scrubbed(nil, secrets...).(scrubbed).json(raw)
}

// json scrubs every text in raw, names too, and leaves the rest byte for byte. It
// returns nil if the result is no JSON, as when a secret looks like a number.
func (n *needles) json(raw []byte) json.RawMessage {
	var b bytes.Buffer
	for rest := raw; len(rest) > 0; {
		from := bytes.IndexByte(rest, '"')
		if from < 0 {
			b.Write(rest)
			break
		}
		b.Write(rest[:from])
		to := literalEnd(rest, from)
		b.Write(n.literal(rest[from:to]))
		rest = rest[to:]
	}
	text := n.conceal(strings.ToValidUTF8(b.String(), ""))
	if !json.Valid([]byte(text)) {
		return nil
	}
	return json.RawMessage(text)
}

// literalEnd returns where the JSON text that begins at from ends.
func literalEnd(raw []byte, from int) int {
	for i := from + 1; i < len(raw); i++ {
		switch raw[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(raw)
}

func (n *needles) literal(quoted []byte) []byte {
	var text string
	if json.Unmarshal(quoted, &text) != nil {
		return quoted
	}
	clean := n.text(text)
	if clean == text {
		return quoted
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(clean) != nil {
		return []byte(`""`) // of a string: cannot fail
	}
	return bytes.TrimSpace(b.Bytes())
}

// Unsigned is a picture's address as people may see it: without its query, which is
// what signs such addresses, its fragment and user name.
func Unsigned(address string) string {
	if end := strings.IndexAny(address, "?#"); end >= 0 {
		address = address[:end]
	}
	return urlUser.ReplaceAllString(address, "${1}")
}
