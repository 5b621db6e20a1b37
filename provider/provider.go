// Package provider is the door to services that draw. It holds the port that
// every adapter implements, what a configured provider consists of, and the
// HTTP client that the adapters share. It decides nothing about retries: an
// adapter says what happened (task.Failure), task.Fail says what follows.
package provider

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/easelqueue/easel/task"
)

// Provider is one account at one image service. Implementations are safe for
// concurrent use, hold no state between calls, do not sleep, loop, log or read
// the environment. Every error they return is a *task.Failure. One exception is
// meant: sketch, which is its own service, waits where others wait for theirs.
type Provider interface {
	// Capabilities says what the model can do, so that a request that cannot be
	// honoured is refused before it is stored. An empty or unknown model gets
	// the widest capabilities of the service.
	Capabilities(model string) Capabilities

	// Prepare checks r and maps it to the one call that Submit will make. It does
	// no I/O. Failures are Invalid or Unsupported.
	Prepare(r Request) (Call, error)

	// Submit makes exactly one HTTP request, which may cost money, and never
	// repeats it. A failure says in Executed whether the call was carried out.
	// When ctx ends after the request was written, that is Unknown.
	Submit(ctx context.Context, c Call) (Answer, error)

	// Poll asks after an accepted job, by its handle alone. It costs nothing and
	// may be repeated by any worker. A failure that says Executed ends the job;
	// with NotExecuted it says only that this poll did not work.
	Poll(ctx context.Context, handle json.RawMessage) (Answer, error)

	// Cancel asks the service to stop the job. Nil promises nothing: the job may still end
	// well, and Poll says how it has ended. A Stopped failure that says Executed is the
	// service's own word that it has ended.
	Cancel(ctx context.Context, handle json.RawMessage) error

	// Recover looks for a call whose outcome was lost. It returns the answer, or
	// a failure: NotExecuted proves that the call never happened, Unknown that
	// the service cannot tell.
	Recover(ctx context.Context, l Lost) (Answer, error)
}

// Capabilities says what one model of a service can do.
type Capabilities struct {
	Async     bool      // Submit answers with a handle to poll
	MaxImages int       // pictures from one call; a task for more becomes several calls
	MaxInputs int       // input pictures; 0 is none
	Inputs    InputForm // how input pictures reach the service
	Inline    int64     // bytes of a picture that a data URL may carry, 0 is no limit; larger ones go through Uploader
	Sizes     string    // what size may be, for people: "1K, 2K, 4K, or width x height"

	// AddressLife is how long the addresses of finished pictures work; 0 is unknown.
	AddressLife time.Duration

	NegativePrompt, Seed, Steps, CFGScale, Quality, Style, Watermark, Mask bool

	Cancel   bool // the service can be asked to stop a job
	Deletes  bool // a job that it stops before it has begun is not known to it any more; Answer.Queued says which have not
	Recover  bool // the service can be asked for a lost call by our key
	Lookup   bool // it may be asked, but that it does not know the call proves nothing
	Callback bool // the service calls back under Call.CallbackURL
	Free     bool // a call costs nothing, so that an unknown one may be sent again
}

// Request is a task as an adapter sees it.
type Request struct {
	Model          string
	Prompt         string
	NegativePrompt string
	Size           string // as the user wrote it: "1024x1024", "2K", "16:9"; empty is the service's default
	Quality        string
	Style          string
	Steps          *int
	CFGScale       *float64
	Seed           *int64
	Watermark      *bool
	Images         int      // how many pictures, at least 1
	Total, Before  int      // of a task that several calls draw: all its pictures, and those of other calls
	Inputs         []string // http, https or data URLs of pictures to start from
	UserID         string
	Parameters     map[string]string // the provider's own settings; an unknown name is an Invalid failure
}

// Call is a request made ready to be sent. Hash identifies what is bought.
type Call struct {
	Endpoint string // path or URL, without secrets
	Body     []byte
	Model    string
	Hash     string // hex SHA-256 over Endpoint and Body

	ContentType string // of Body; empty is application/json

	// Set by the worker before Submit.
	Key         string // our own id of the attempt, a UUID; sent where the service echoes it
	Number      int    // which attempt of the task this is, from 1
	CallbackURL string // where the service may call back; empty if nobody listens

	// MaySend is asked when the body is about to leave, and a call that may not be sent
	// any more is Unavailable, not executed: dialling may take long, and whoever held the
	// task before it need not hold it after it. Nil is always.
	MaySend func() bool
}

// With returns the call with one more member at the beginning of its JSON
// object, for what is known only when it is sent. Its Hash stays: it says what
// is bought.
func (c Call) With(name string, value any) Call {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(map[string]any{name: value}); err != nil || !bytes.HasPrefix(c.Body, []byte("{")) {
		return c
	}
	member := bytes.TrimSuffix(bytes.TrimSpace(b.Bytes()), []byte("}"))
	rest := bytes.TrimLeft(c.Body[1:], " ")
	if !bytes.HasPrefix(rest, []byte("}")) {
		member = append(member, ',')
	}
	c.Body = append(member, rest...)
	return c
}

// Lost is a call that was journalled and whose outcome is not known.
type Lost struct {
	Key      string
	Endpoint string
	SentAt   time.Time
}

// Answer is what the service said: still working (Handle set, Done false), or done with Outputs.
type Answer struct {
	Done bool

	// While the job runs.
	Handle    json.RawMessage // all that Poll needs, versioned JSON; no secret
	JobID     string          // the service's id, for people
	PollAfter time.Duration   // 0 leaves it to the worker
	Progress  int             // percent, 0 if the service does not say
	Queued    bool            // the service says that the job has not begun

	// When it is done.
	Outputs []Output
	Cost    *task.Money // as the service reported it; nil leaves it to the price table
	Usage   *Usage      // what the price table counts besides pictures; nil if the service did not say

	RequestID  string
	HTTPStatus int
	Raw        json.RawMessage // what is worth keeping of the reply: no secret, no picture bytes
	Notes      []string        // what of the reply could not be read and is not needed, for the log
}

// CallbackReader is implemented by adapters whose services call back when a job has moved.
type CallbackReader interface {
	// ReadCallback reads such a callback and returns the handle of its job. What it says
	// of the job is not believed: the handle is polled. The failure of a callback
	// that is not the service's is of kind Auth.
	ReadCallback(c Callback) (handle json.RawMessage, jobID string, err error)
}

// Callback is what a service has sent to a Call's CallbackURL.
type Callback struct {
	Header http.Header
	Body   []byte
	Secret Secret // the account's signing secret; empty if it has none
	Of     Lost   // the call that it speaks of
}

// Uploader is implemented by adapters whose services take input pictures only in
// a request of their own, before the call. It buys nothing and may be repeated.
type Uploader interface {
	// Upload brings a picture, a data URL, to the service and returns what stands
	// for it in Request.Inputs.
	Upload(ctx context.Context, picture string) (reference string, err error)
}

// Private is implemented by adapters whose services give their pictures only to
// those who have the key.
type Private interface {
	// PictureHeader returns what a download of that address needs; nil if the
	// address is not the service's own.
	PictureHeader(address string) http.Header
}

// Output is one picture, or why it is missing. Exactly one of URL, Bytes, File, Key and Err is set
// by adapters; the worker sets Key beside the URL that its bytes came from.
type Output struct {
	Position      int           `json:"position"` // from 0, as the service numbered them
	URL           string        `json:"url,omitempty"`
	Bytes         []byte        `json:"bytes,omitempty"`
	Source        string        `json:"source,omitempty"` // URL as people may see it; set by Scrubbed
	File          *TempFile     `json:"-"`                // in the place of Bytes that are many; whoever takes it closes it
	Key           string        `json:"key,omitempty"`    // where the worker has already put its bytes
	ContentType   string        `json:"content_type,omitempty"`
	Seed          *int64        `json:"seed,omitempty"`
	RevisedPrompt string        `json:"revised_prompt,omitempty"`
	Tiles         int           `json:"tiles,omitempty"` // a side: the picture is a grid of Tiles x Tiles, to be cut into as many; 0 is one picture
	Err           *task.Failure `json:"err,omitempty"`
}

// Sync is embedded by adapters of services that answer in the same call: it has
// no job to poll, cancel or look up.
type Sync struct{}

func (Sync) Poll(context.Context, json.RawMessage) (Answer, error) {
	return Answer{}, &task.Failure{Kind: task.Internal, Executed: task.NotExecuted, Message: "this service has no jobs to poll"}
}

func (Sync) Cancel(context.Context, json.RawMessage) error { return CannotCancel() }

func (Sync) Recover(context.Context, Lost) (Answer, error) { return CannotRecover() }

// CannotCancel is the answer of a service that finishes what it has begun.
func CannotCancel() error {
	return &task.Failure{Kind: task.Unsupported, Executed: task.NotExecuted, Message: "this service cannot cancel a call"}
}

// CannotRecover is the answer of a service that cannot be asked for a lost call.
func CannotRecover() (Answer, error) {
	return Answer{}, &task.Failure{Kind: task.OutcomeUnknown, Executed: task.Unknown,
		Message: "the service has no way to look up a call by our id"}
}
