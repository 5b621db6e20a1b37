package providertest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// Breaks starts a service that answers every call with the body and then breaks the
// connection, and returns its address.
func Breaks(t testing.TB, body string) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, body)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(s.Close)
	return s.URL
}
