package providertest

import (
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// Behaviour is how a service treats a request. Serve is given what a good answer
// would be.
type Behaviour struct {
	Name   string
	Bills  bool // the picture is drawn and billed, whatever the caller sees
	Unread bool // acts before the request's body is read
	Serve  func(w http.ResponseWriter, r *http.Request, answer []byte)
}

// Draws answers well.
func Draws() Behaviour {
	return Behaviour{Name: "draws", Bills: true, Serve: func(w http.ResponseWriter, _ *http.Request, answer []byte) {
		w.Header().Set("Content-Type", "application/json")
		w.Write(answer)
	}}
}

// Answers answers with that status and body. A 5xx is billed: it may come from a
// gateway after the picture was drawn.
func Answers(status int, body string, header ...string) Behaviour {
	return Behaviour{Name: fmt.Sprintf("answers %d", status), Bills: status < 400 || status >= 500,
		Serve: func(w http.ResponseWriter, _ *http.Request, _ []byte) {
			for i := 0; i+1 < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
			io.WriteString(w, body)
		}}
}

// Named returns b under another name.
func (b Behaviour) Named(name string) Behaviour {
	b.Name = name
	return b
}

// Hangs draws and never answers.
func Hangs() Behaviour {
	return Behaviour{Name: "hangs before its headers", Bills: true, Serve: func(_ http.ResponseWriter, r *http.Request, _ []byte) {
		<-r.Context().Done()
	}}
}

// Drips answers well, but a byte at a time.
func Drips() Behaviour {
	return Behaviour{Name: "drips", Bills: true, Serve: func(w http.ResponseWriter, r *http.Request, answer []byte) {
		w.Header().Set("Content-Length", fmt.Sprint(len(answer)))
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for i := range answer {
			w.Write(answer[i : i+1])
			http.NewResponseController(w).Flush()
			select {
			case <-tick.C:
			case <-r.Context().Done():
				return
			}
		}
	}}
}

// CutsOff announces a good answer, sends half of it and breaks the connection.
func CutsOff() Behaviour {
	return Behaviour{Name: "cuts the connection amid the body", Bills: true, Serve: func(w http.ResponseWriter, _ *http.Request, answer []byte) {
		w.Header().Set("Content-Length", fmt.Sprint(len(answer)))
		w.Write(answer[:len(answer)/2])
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}}
}

// Truncates sends half of a good answer as if it were all.
func Truncates() Behaviour {
	return Behaviour{Name: "truncates its answer", Bills: true, Serve: func(w http.ResponseWriter, _ *http.Request, answer []byte) {
		w.Write(answer[:len(answer)/2])
	}}
}

// ShowsPage answers 200 with a web page, as a captive portal does.
func ShowsPage() Behaviour {
	return Answers(http.StatusOK, "<!doctype html><html><body>Sign in to the network</body></html>",
		"Content-Type", "text/html").Named("shows a web page")
}

// SaysNothing answers 200 with an empty body.
func SaysNothing() Behaviour { return Answers(http.StatusOK, "").Named("answers with nothing") }

// Floods answers with more than n bytes.
func Floods(n int) Behaviour {
	return Behaviour{Name: "floods", Bills: true, Serve: func(w http.ResponseWriter, _ *http.Request, _ []byte) { flood(w, n) }}
}

// Bombs answers with a small gzip body that unpacks to more than n bytes.
func Bombs(n int) Behaviour {
	return Behaviour{Name: "sends a gzip bomb", Bills: true, Serve: func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		defer z.Close()
		flood(z, n)
	}}
}

func flood(w io.Writer, n int) {
	block := strings.Repeat(" ", 32<<10)
	for sent := 0; sent <= n; sent += len(block) {
		if _, err := io.WriteString(w, block); err != nil {
			return
		}
	}
}

// Redirects draws, and answers 307 to the same address with a query: a client
// that follows buys again.
func Redirects() Behaviour {
	return Behaviour{Name: "redirects the submit", Bills: true, Serve: func(w http.ResponseWriter, r *http.Request, _ []byte) {
		http.Redirect(w, r, r.URL.Path+"?again=1", http.StatusTemporaryRedirect)
	}}
}

// Resets draws, and resets the connection once it has read the request.
func Resets() Behaviour {
	return Behaviour{Name: "resets after it has read the body", Bills: true, Serve: reset}
}

// ResetsUnread resets the connection before it reads the request's body.
func ResetsUnread() Behaviour {
	return Behaviour{Name: "resets before it reads the body", Unread: true, Serve: reset}
}

func reset(w http.ResponseWriter, _ *http.Request, _ []byte) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0) // a close then sends RST, not FIN
	}
	conn.Close()
}
