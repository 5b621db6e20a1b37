package httpserver

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// running starts a server and returns its address.
func running(t *testing.T, s *Server) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return listener.Addr().String()
}

// dial opens a connection and writes the beginning of a request.
func dial(t *testing.T, address, begin string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := io.WriteString(c, begin); err != nil {
		t.Fatal(err)
	}
	return c
}

// drip sends a byte now and then until the server has had enough, or a quarter of a minute is
// over, and reports how long that was.
func drip(c net.Conn) time.Duration {
	began := time.Now()
	gone := make(chan struct{})
	go func() {
		io.Copy(io.Discard, c)
		close(gone)
	}()
	every := time.NewTicker(20 * time.Millisecond)
	defer every.Stop()
	enough := time.After(15 * time.Second)
	for {
		select {
		case <-gone:
			return time.Since(began)
		case <-enough:
			c.Close()
			<-gone
			return time.Since(began)
		case <-every.C:
			c.Write([]byte("x"))
		}
	}
}

func get(address string) (string, error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 30 * time.Second}
	resp, err := client.Get("http://" + address + "/")
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}

// greedy reads all of every body.
var greedy = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	n, err := io.Copy(io.Discard, r.Body)
	fmt.Fprintf(w, "%d bytes, %v", n, err)
})

// careless looks at no body.
var careless = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") })

const slowPost = "POST /any HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"

func TestSlowRequestsAreCut(t *testing.T) {
	for name, begin := range map[string]string{
		"A head":         "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ",
		"A body":         slowPost,
		"A body in bits": "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n",
	} {
		for who, h := range map[string]http.Handler{"reads": greedy, "does not read": careless} {
			t.Run(name+" that comes a byte at a time is cut, if the handler "+who+" bodies", func(t *testing.T) {
				address := running(t, &Server{Handler: h, Arrival: 300 * time.Millisecond})
				if took := drip(dial(t, address, begin)); took > 10*time.Second {
					t.Errorf("it was cut after %s", took)
				}
			})
		}
	}
	t.Run("A body that is larger than the bound is refused", func(t *testing.T) {
		address := running(t, &Server{Handler: greedy, Body: 1000})
		resp, err := http.Post("http://"+address, "text/plain", strings.NewReader(strings.Repeat("x", 2000)))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		if !strings.Contains(string(text), "1000 bytes, http: request body too large") {
			t.Errorf("got %s", text)
		}
	})
	t.Run("An answer may take longer than its request could", func(t *testing.T) {
		slow := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			select {
			case <-r.Context().Done():
			case <-time.After(time.Second):
				io.WriteString(w, "at last")
			}
		})
		address := running(t, &Server{Handler: slow, Arrival: 100 * time.Millisecond})
		resp, err := http.Post("http://"+address, "text/plain", strings.NewReader("quick"))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if text, _ := io.ReadAll(resp.Body); string(text) != "at last" {
			t.Errorf("got %q", text)
		}
	})
}

func TestCrowds(t *testing.T) {
	t.Run("Who asks at once is let in while others hold every connection", func(t *testing.T) {
		address := running(t, &Server{Handler: greedy, Connections: 10, Arrival: time.Hour})
		for i := range 40 {
			if i%2 == 0 {
				dial(t, address, slowPost)
			} else {
				dial(t, address, "GET / HTTP/1.1\r\n")
			}
		}
		for range 5 {
			if text, err := get(address); err != nil || text != "0 bytes, <nil>" {
				t.Fatalf("got %q, %v", text, err)
			}
		}
	})
	t.Run("No more connections are open than the bound says", func(t *testing.T) {
		address := running(t, &Server{Handler: careless, Connections: 10, Arrival: time.Hour})
		gone := make(chan struct{}, 30)
		for range 30 {
			c := dial(t, address, "GET / HTTP/1.1\r\n")
			go func() {
				io.Copy(io.Discard, c)
				gone <- struct{}{}
			}()
		}
		for range 20 {
			<-gone
		}
	})
	t.Run("Who takes nothing of an answer makes room for those who ask", func(t *testing.T) {
		endless := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for r.URL.Path == "/endless" {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
			io.WriteString(w, "hello")
		})
		address := running(t, &Server{Handler: endless, Connections: 3})
		for range 3 {
			dial(t, address, "GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
		}
		if text, err := get(address); err != nil || text != "hello" {
			t.Errorf("got %q, %v", text, err)
		}
	})
	t.Run("A request that is being answered is not sent away, and others wait for it", func(t *testing.T) {
		answer := make(chan struct{})
		held := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			<-answer
			io.WriteString(w, "done")
		})
		address := running(t, &Server{Handler: held, Connections: 3})
		said := make(chan string, 6)
		for range 6 {
			c := dial(t, address, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
			go func() {
				resp, err := http.ReadResponse(bufio.NewReader(c), nil)
				if err != nil {
					said <- err.Error()
					return
				}
				text, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				said <- string(text)
			}()
		}
		close(answer)
		for range 6 {
			if got := <-said; got != "done" {
				t.Errorf("got %q", got)
			}
		}
	})
}
