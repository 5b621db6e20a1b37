package provider

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"github.com/easelqueue/easel/internal/budget"
	"github.com/easelqueue/easel/internal/crash"
	"github.com/easelqueue/easel/task"
)

const (
	// defaultMaxReply holds ten pictures of 4K as PNG in base64, about 20 MB
	// each: the largest answer that a service gives in one JSON document.
	defaultMaxReply = 256 << 20
	// maxErrorBody is how much of an answer without pictures is read.
	maxErrorBody = 64 << 10
	// userAgent names us to the services.
	userAgent = "easel"
)

// Client is the HTTP client that all adapters share. It sends each request
// once, bounds what it reads, and turns everything that can go wrong into a
// *task.Failure whose texts hold no secret. Its zero value is ready;
// NewTransport suits paid calls better. It is safe for concurrent use.
type Client struct {
	HTTP      *http.Client     // for calls; nil is http.DefaultTransport. Its redirect policy is not used
	Downloads *http.Client     // for Fetch; nil is HTTP. The place for a guard against private addresses
	MaxReply  int64            // bytes of one decompressed answer, default 256 MiB
	Memory    *budget.Budget   // bytes that large answers, without their pictures, may take; nil is no limit
	Owner     string           // for whom the client borrows from Memory
	Temp      string           // folder for pictures that come with an answer, default that of the system
	Now       func() time.Time // reads a Retry-After date; nil is time.Now
}

// For returns a client that is like c, borrows for owner and has connections of its
// own: a flood of one owner does not hold up those of another.
func (c *Client) For(owner string) *Client {
	own := *c
	own.Owner = owner
	if c.HTTP != nil {
		if shared, ok := c.HTTP.Transport.(*http.Transport); ok {
			apart := *c.HTTP
			apart.Transport = shared.Clone()
			own.HTTP = &apart
		}
	}
	return &own
}

// NewTransport returns a transport made for calls that cost money: its timeouts
// end what has not been sent, never what has; those ends are ctx's.
//
// It speaks HTTP/1.1 only, so that a lost connection leaves one call of unknown outcome
// and not all that shared it. It drops idle connections before a server does
// (several drop theirs after 5 s): the outcome of a call sent into a closing
// connection is unknown too.
func NewTransport() *http.Transport {
	var http1 http.Protocols
	http1.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSHandshakeTimeout:    10 * time.Second,
		MaxIdleConnsPerHost:    100,
		IdleConnTimeout:        4 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		Protocols:              &http1,
	}
}

// HTTPRequest is one request to a service.
type HTTPRequest struct {
	Method  string
	URL     string
	Header  http.Header
	Body    []byte
	Secrets []string // removed from every text that comes back
	Base    string   // against which relative addresses in the answer are resolved
	Faults  Faults   // the service's table of errors, for what it tells within a 2xx; may be nil

	// MaySend is that of the Call which the request is. Nil is always.
	MaySend func() bool

	// Lists says that the answer lists what all who use the service have asked for: more
	// of it is read.
	Lists bool

	// Free says that the request buys nothing, as a poll does. Its failures
	// are never Unknown, and it need not be a POST with a body.
	Free bool
}

// Do sends r once and reads the answer. Every status is an answer, redirects
// too: none is followed. The error is a *task.Failure: NotExecuted if the
// service cannot have had the whole body, and otherwise Unknown. Long texts of the answer
// lie in a file for as long as the Reply is used; a picture that is taken from them is a
// file of its own.
//
// The mark is the transport taking the body's last byte: earlier than
// httptrace's WroteRequest, which may still be unreported when a cancelled call
// returns although the bytes are on their way.
func (c *Client) Do(ctx context.Context, r HTTPRequest) (Reply, error) {
	req, body, err := r.build(ctx)
	if err != nil {
		return Reply{}, err
	}
	if crash.Armed && !r.Free {
		req = req.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
			WroteRequest: func(httptrace.WroteRequestInfo) { crash.At("request written") }}))
	}
	resp, err := c.caller().Do(req)
	if err != nil {
		return Reply{}, r.lost(ctx, err, body.taken.Load())
	}
	defer resp.Body.Close()
	return c.read(ctx, resp, r)
}

// build makes a request that net/http cannot send twice: GetBody is nil, and a
// paid call has a body. Without a body or with GetBody, net/http would repeat
// a request by itself when a reused connection breaks.
func (r HTTPRequest) build(ctx context.Context) (*http.Request, *body, error) {
	b := &body{Reader: bytes.NewReader(r.Body)}
	if !r.Free {
		b.until, _ = ctx.Deadline()
		b.maySend = r.MaySend
	}
	if !r.Free && (r.Method != http.MethodPost || len(r.Body) == 0) {
		return nil, nil, &task.Failure{Kind: task.Internal, Executed: task.NotExecuted, Message: "a call that buys something must be a POST with a body"}
	}
	var content io.Reader
	if len(r.Body) > 0 {
		content = b
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, r.URL, content)
	if err != nil {
		return nil, nil, &task.Failure{Kind: task.Internal, Executed: task.NotExecuted, Message: "the address of the service is not a URL",
			Detail: Scrub(bare(err).Error(), r.Secrets...), Advice: task.CheckBaseURL}
	}
	req.ContentLength = int64(len(r.Body))
	if r.Header != nil {
		req.Header = r.Header.Clone()
	}
	req.Header.Set("User-Agent", userAgent)
	return req, b, nil
}

func (c *Client) caller() *http.Client {
	var once http.Client
	if c.HTTP != nil {
		once = *c.HTTP
	}
	once.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &once
}

// read takes the answer in. Of a 2xx it needs all; of any other status what has
// come is enough, for the status says what happened.
func (c *Client) read(ctx context.Context, resp *http.Response, r HTTPRequest) (Reply, error) {
	reply := Reply{Status: resp.StatusCode, Header: resp.Header, base: r.Base, secrets: r.Secrets, free: r.Free, notes: new([]string), faults: r.Faults,
		RequestID:  cut(redact(resp.Header.Get("X-Request-Id"), r.Secrets), task.MaxText),
		RetryAfter: retryAfter(resp.Header, c.now())}
	if !reply.OK() {
		reply.Body, _ = io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
		return reply, nil
	}
	limit := c.MaxReply
	if limit <= 0 {
		limit = defaultMaxReply
	}
	factor := 1
	if r.Lists {
		factor = listFactor
	}
	into := &sieve{parts: parts{folder: c.Temp}}
	n, err := io.Copy(&charged{ctx: ctx, to: into, memory: c.Memory, owner: c.Owner, factor: factor}, io.LimitReader(resp.Body, limit+1))
	reply.Body, reply.parts = into.kept.Bytes(), &into.parts // the file goes with the last reader: a call that ends does not take it away
	if err != nil && (whole(reply.Body) || !r.Free && slices.ContainsFunc(reply.Documents(), worthReading)) {
		reply.cut = true
		reply.note("the connection ended before the answer did")
		return reply, nil
	}
	if too, ok := errors.AsType[odd](err); ok { // as below, but for its words
		f := reply.failure(Fault{Kind: task.BadAnswer, Executed: task.Unknown}, too.Error())
		f.Detail = reply.excerpt()
		return Reply{}, f
	}
	if err != nil {
		f := reply.failure(Fault{Kind: task.BadAnswer, Executed: task.Unknown}, "the provider's answer broke off before its end")
		f.Detail, f.Cause = Scrub(bare(err).Error(), r.Secrets...), bare(err)
		return Reply{}, f
	}
	if n > limit {
		return Reply{}, reply.failure(Fault{Kind: task.BadAnswer, Executed: task.Unknown}, fmt.Sprintf("the provider's answer is longer than the %d bytes that are read", limit))
	}
	return reply, nil
}

// Time is the time as the client reads it.
func (c *Client) Time() time.Time { return c.now() }

func (c *Client) now() time.Time {
	if c.Now == nil {
		return time.Now()
	}
	return c.Now()
}

// lost says what a call without an answer means.
func (r HTTPRequest) lost(ctx context.Context, err error, taken bool) *task.Failure {
	err = bare(err)
	f := &task.Failure{Executed: task.Unknown, Detail: Scrub(err.Error(), r.Secrets...), Cause: err}
	var slow net.Error
	late := errors.Is(ctx.Err(), context.DeadlineExceeded) || errors.As(err, &slow) && slow.Timeout()
	switch {
	case r.Free && late:
		f.Kind, f.Executed, f.Message = task.Timeout, task.NotExecuted, "the provider gave no answer in time"
	case r.Free:
		f.Kind, f.Executed, f.Message = task.Unavailable, task.NotExecuted, "the provider could not be asked"
	case !taken:
		f.Kind, f.Executed, f.Message = task.Unavailable, task.NotExecuted, "the provider could not be reached; the call was not sent"
		f.Advice = task.CheckNetwork
	case late:
		f.Kind, f.Message = task.Timeout, "the provider gave no answer in time"
	case ctx.Err() != nil:
		f.Kind, f.Message = task.ProviderError, "the call was given up on our side after it was sent"
	default:
		f.Kind, f.Message = task.ProviderError, "the connection broke after the call was sent"
	}
	return f
}

// bare takes the error out of net/http's wrapper, which would print the URL
// with its query.
func bare(err error) error {
	var outer *url.Error
	for errors.As(err, &outer) {
		err = outer.Err
	}
	return err
}

// body is a request body that knows whether the transport has taken all of it.
// It is a type of its own so that net/http cannot make a GetBody from it.
//
// It gives nothing after its time. A process that stood still while it dialled
// finds the connection ready and its deadline long over, and may see the
// connection first; by then somebody else may have learnt from the service that
// the call never came, and have made another.
type body struct {
	*bytes.Reader
	until   time.Time   // zero is no limit
	maySend func() bool // nil is always
	taken   atomic.Bool
}

var errMayNotSend = errors.New("the worker lost its hold on the task before the request was written")

func (b *body) Read(p []byte) (int, error) {
	if !b.until.IsZero() && !time.Now().Before(b.until) {
		return 0, context.DeadlineExceeded
	}
	if b.maySend != nil && !b.maySend() {
		return 0, errMayNotSend
	}
	n, err := b.Reader.Read(p)
	if b.Reader.Len() == 0 {
		b.taken.Store(true)
	}
	return n, err
}

// WriteTo hides bytes.Reader's, so that every byte passes through Read.
func (b *body) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, struct{ io.Reader }{b})
}
