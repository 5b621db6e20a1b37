package s3

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// slow is a body that never ends and tells that it has been closed.
type slow struct{ closed chan struct{} }

func (s slow) Read(p []byte) (int, error) {
	select {
	case <-s.closed:
		return 0, io.ErrClosedPipe
	default:
		return len(p), nil
	}
}

func (s slow) Close() error { close(s.closed); return nil }

func TestARedirectIsHandedOverWhenTheBodyIsClosed(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusMovedPermanently) // before a byte of the body is read
		_, _ = io.WriteString(w, "elsewhere")
	}))
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	body := slow{make(chan struct{})}
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, server.URL, body)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := transport(nil).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-body.closed:
	default:
		t.Error("the body is still open")
	}
	if text, err := io.ReadAll(answer.Body); err != nil || !strings.Contains(string(text), "elsewhere") {
		t.Errorf("text %q, %v", text, err)
	}
}
