package provider

import (
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/easelqueue/easel/internal/budget"
)

func TestLargeAnswersTakeLittleMemory(t *testing.T) {
	piece := []byte(base64.StdEncoding.EncodeToString(content(3 << 16)))
	c, r := answering(t, func(w io.Writer) {
		io.WriteString(w, `{"data": [{"b64_json": "`)
		for range 400 { // 100 MB
			w.Write(piece)
		}
		io.WriteString(w, `"}]}`)
	})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	reply, err := c.Do(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	var v struct{ Data Images }
	if err := reply.JSON(&v); err != nil {
		t.Fatal(err)
	}
	outputs := reply.Outputs(v.Data)
	runtime.ReadMemStats(&after)
	if len(outputs) != 1 || outputs[0].Err != nil || outputs[0].File.Len() != 400*(3<<16) {
		t.Fatalf("got %+v", outputs)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 8<<20 {
		t.Errorf("%d bytes were allocated for an answer of 100 MB", grown)
	}
	outputs[0].File.Close()
}

func TestLargeAnswersWithoutPicturesBorrow(t *testing.T) {
	c, r := answering(t, func(w io.Writer) { io.WriteString(w, "["+strings.Repeat("1,", 1<<17)+"1]") })
	c.Memory, c.Owner = &budget.Budget{Size: 100}, "a"
	ctx, done := context.WithCancel(t.Context())
	if _, err := c.Do(ctx, r); err != nil {
		t.Fatal(err)
	}
	waiting, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.Memory.Acquire(waiting, "b", 51); err == nil {
		t.Fatal("the answer has borrowed nothing")
	}
	done()
	release, err := c.Memory.Acquire(t.Context(), "b", 100)
	if err != nil {
		t.Fatal("it is not given back when the call has ended:", err)
	}
	release()
}

func TestARefusalIsReadWithABound(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusBadRequest)
		for range 1 << 10 { // 64 MB, if anybody reads it
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	}))
	t.Cleanup(s.Close)
	c := &Client{HTTP: s.Client()}
	reply, err := c.Do(t.Context(), HTTPRequest{Method: http.MethodPost, URL: s.URL, Body: []byte("{}")})
	if err != nil || reply.Status != http.StatusBadRequest || len(reply.Body) > maxErrorBody {
		t.Errorf("got %d with %d bytes, %v", reply.Status, len(reply.Body), err)
	}
}
