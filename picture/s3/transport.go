package s3

import (
	"bytes"
	"io"
	"net/http"
	"sync"
	"time"
)

// transport has a limit for everything that a service may keep waiting for, but the
// body: a picture takes as long as it takes, and ends with its context.
func transport(given http.RoundTripper) http.RoundTripper {
	if given != nil {
		return closesOnce{given}
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSHandshakeTimeout, t.ResponseHeaderTimeout, t.IdleConnTimeout = 10*time.Second, time.Minute, 30*time.Second
	t.MaxIdleConnsPerHost = 50
	return closesOnce{t}
}

// closesOnce hands over a redirect only when the request's body is closed.
// [http.Client] closes it once more then, and minio-go's body does not stand two at a time.
type closesOnce struct{ http.RoundTripper }

func (t closesOnce) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return t.RoundTripper.RoundTrip(r)
	}
	body := &watched{ReadCloser: r.Body, closed: make(chan struct{})}
	sent := *r
	sent.Body = body
	answer, err := t.RoundTripper.RoundTrip(&sent)
	if err != nil || answer.StatusCode/100 != 3 {
		return answer, err
	}
	// Whoever has read an answer to its end ends a request that is still being sent.
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxRedirect))
	_ = answer.Body.Close()
	if err != nil {
		return nil, err
	}
	answer.Body = io.NopCloser(bytes.NewReader(text))
	select {
	case <-body.closed:
		return answer, nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// maxRedirect is what is read of a redirect's text; a service's is a few hundred bytes.
const maxRedirect = 64 << 10

// watched tells when it has been closed.
type watched struct {
	io.ReadCloser
	once   sync.Once
	closed chan struct{}
}

func (b *watched) Close() error {
	err := b.ReadCloser.Close()
	b.once.Do(func() { close(b.closed) })
	return err
}
