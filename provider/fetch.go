package provider

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/easelqueue/easel/task"
)

// maxHops is how many redirects a download may take.
const maxHops = 3

// errHop is a redirect that a download does not follow.
var errHop = errors.New("redirect refused")

// Download is a picture on its way to us. The caller closes it. Errors of Read
// are *task.Failure, except io.EOF.
type Download struct {
	io.ReadCloser
	Length      int64  // as announced; -1 if unknown
	ContentType string // as announced; not to be believed
}

// Fetch begins to download a finished picture, of at most limit bytes. The URL
// is sent as it is written, for it may be signed; only what may not stand in a URL
// is escaped. Header, which may be nil, goes to the first address only; no redirect
// carries it on. A body shorter than its Content-Length is an error. What the bytes
// are, the caller finds out.
//
// Failures speak of the download: Executed is always NotExecuted, for asking again for a
// picture buys nothing. Expired means that the service no longer has it. An error of
// dialling with a method Refusal is final: the address is not one to fetch from.
func (c *Client) Fetch(ctx context.Context, rawURL string, header http.Header, limit int64) (*Download, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, escaped(strings.TrimSpace(rawURL)), nil)
	if err == nil {
		err = fetchable(req)
	}
	if err != nil {
		return nil, unfetched(task.BadAnswer, "the address of the picture cannot be used", bare(err))
	}
	if header != nil {
		req.Header = header.Clone()
	}
	disguise(req)
	resp, err := c.downloader().Do(req)
	if err != nil {
		return nil, readFault(err)
	}
	if f := fetchFault(c, resp, limit); f != nil {
		resp.Body.Close()
		return nil, f
	}
	return &Download{ReadCloser: &download{resp.Body, limit, limit}, Length: resp.ContentLength,
		ContentType: resp.Header.Get("Content-Type")}, nil
}

func (c *Client) downloader() *http.Client {
	var d http.Client
	switch {
	case c.Downloads != nil:
		d = *c.Downloads
	case c.HTTP != nil:
		d = *c.HTTP
	}
	d.Jar = nil
	d.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		if len(via) > maxHops {
			return fmt.Errorf("%w: more than %d", errHop, maxHops)
		}
		if via[len(via)-1].URL.Scheme == "https" && req.URL.Scheme == "http" {
			return fmt.Errorf("%w: from https to http", errHop)
		}
		req.Header = http.Header{} // no credential, and no Referer with a signed URL
		disguise(req)
		if err := fetchable(req); err != nil {
			return fmt.Errorf("%w: %w", errHop, err)
		}
		return nil
	}
	return &d
}

// disguise sets the headers of a download. Naming an encoding keeps net/http
// from unpacking: Content-Length then counts what we read.
func disguise(req *http.Request) {
	req.Header.Set("User-Agent", userAgent)
	req.Header.Set("Accept-Encoding", "identity")
}

func fetchable(req *http.Request) error {
	switch {
	case req.URL.Scheme != "http" && req.URL.Scheme != "https":
		return fmt.Errorf("the scheme is %q; accepted are http and https", cut(req.URL.Scheme, 20))
	case req.URL.Host == "":
		return errors.New("there is no host")
	case req.URL.User != nil:
		return errors.New("it holds a user name")
	}
	return nil
}

// fetchFault says why resp is no picture, or nil.
func fetchFault(c *Client, resp *http.Response, limit int64) *task.Failure {
	kind := task.BadAnswer
	switch s := resp.StatusCode; {
	case s == http.StatusOK && resp.ContentLength > limit:
		return tooLong(limit)
	case s == http.StatusOK:
		return nil
	case s == 401 || s == 403 || s == 404 || s == 410:
		kind = task.Expired
	case s == 429:
		kind = task.RateLimited
	case s == 408 || s >= 500:
		kind = task.Unavailable
	}
	f := unfetched(kind, "the picture cannot be downloaded: "+answered(resp.StatusCode), nil)
	f.HTTPStatus, f.RetryAfter = resp.StatusCode, retryAfter(resp.Header, c.now())
	return f
}

// ErrTooLong is the cause of a failure to fetch what is longer than is accepted: it is no
// use to fetch it again.
var ErrTooLong = errors.New("too long")

func tooLong(limit int64) *task.Failure {
	f := unfetched(task.BadAnswer, fmt.Sprintf("the picture is larger than the %d bytes that are accepted", limit), nil)
	f.Cause = ErrTooLong
	return f
}

func unfetched(kind task.Kind, message string, cause error) *task.Failure {
	f := &task.Failure{Kind: kind, Executed: task.NotExecuted, Message: message, Cause: cause}
	if cause != nil {
		f.Detail = Scrub(cause.Error())
	}
	return f
}

// readFault says what a broken download means.
func readFault(err error) *task.Failure {
	err = bare(err)
	var slow net.Error
	var refused interface {
		error
		Refusal()
	}
	switch {
	case errors.As(err, &refused):
		return unfetched(task.BadAnswer, "the address of the picture is not one to fetch from", refused)
	case errors.Is(err, context.DeadlineExceeded) || errors.As(err, &slow) && slow.Timeout():
		return unfetched(task.Timeout, "the download did not end in time", err)
	case errors.Is(err, errHop):
		return unfetched(task.BadAnswer, "the address of the picture leads nowhere", err)
	}
	return unfetched(task.Unavailable, "the download broke off", err)
}

// download counts down what may still be read.
type download struct {
	io.ReadCloser
	left, limit int64
}

func (d *download) Read(p []byte) (int, error) {
	if int64(len(p)) > d.left+1 {
		p = p[:d.left+1]
	}
	n, err := d.ReadCloser.Read(p)
	d.left -= int64(n)
	switch {
	case d.left < 0:
		return 0, tooLong(d.limit)
	case err == nil || err == io.EOF:
		return n, err
	}
	return n, readFault(err)
}
