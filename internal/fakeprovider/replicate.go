package fakeprovider

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// asReplicate speaks as Replicate's predictions do. See package replicate.
type asReplicate struct{}

func (s *Server) speakReplicate() {
	s.mux.HandleFunc("POST /{class}/{name}/v1/models/{owner}/{model}/predictions", s.known(func(w http.ResponseWriter, r *http.Request) {
		var asked struct {
			Input   struct{ Prompt string }
			Webhook string
		}
		if s.read(w, r, asReplicate{}, &asked) {
			s.take(w, r, asReplicate{}, order{key: r.Header.Get("X-Client-Request-Id"), prompt: asked.Input.Prompt, callback: asked.Webhook})
		}
	}))
	s.mux.HandleFunc("GET /{class}/{name}/v1/predictions/{job}", s.known(s.predicted("poll")))
	s.mux.HandleFunc("POST /{class}/{name}/v1/predictions/{job}/cancel", s.known(s.predicted("cancel")))
}

func (asReplicate) take(s *Server, w http.ResponseWriter, r *http.Request, j job) {
	p := s.prediction(j, "http://"+r.Host)
	p["status"], p["output"] = "starting", nil
	writeJSON(w, http.StatusCreated, p)
}

func (asReplicate) refuse(w http.ResponseWriter, status int, _, message string) {
	writeJSON(w, status, map[string]any{"detail": message, "status": status})
}

// sure: a 503 has no code that would say whether the prediction exists.
func (asReplicate) sure(status int) bool { return status == http.StatusTooManyRequests }

func (s *Server) predicted(event string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		j := s.find(r.PathValue("name"), r.PathValue("job"))
		switch {
		case j == nil:
			asReplicate{}.refuse(w, http.StatusNotFound, "", "The requested resource could not be found.")
			return
		case event == "cancel":
			s.stop(w, j)
		default:
			s.note(w, event, j)
		}
		writeJSON(w, http.StatusOK, s.prediction(s.now(j), "http://"+r.Host))
	}
}

// prediction is how a job stands, for a caller that finds the fake provider at that address.
func (s *Server) prediction(j job, at string) map[string]any {
	where := at + "/" + j.class + "/" + j.provider + "/v1/predictions/" + j.id
	p := map[string]any{"id": j.id, "status": "processing", "output": nil, "error": nil, "urls": map[string]string{"get": where, "cancel": where + "/cancel"}}
	switch {
	case j.cancelled():
		p["status"] = "canceled"
	case !j.done():
	case j.fails:
		p["status"], p["error"] = "failed", "the picture could not be drawn"
	default:
		p["status"], p["output"] = "succeeded", []string{s.pictureAt(at, j.id)}
	}
	return p
}

const (
	callTries = 5
	callPause = 2 * time.Second
	callTime  = 10 * time.Second
)

// callBack tells whoever asked for it that a job is done, a few times if need be.
func (s *Server) callBack(j *job) {
	if !pause(s.closing, time.Until(j.ready)) {
		return
	}
	now := s.now(j)
	body, err := json.Marshal(s.prediction(now, ""))
	if err != nil {
		panic(err) // of our own maps and strings
	}
	for range callTries {
		if s.call(now, body) || !pause(s.closing, callPause) {
			return
		}
	}
}

// call makes one callback, and reports whether it was taken or refused for good.
func (s *Server) call(j job, body []byte) bool {
	ctx, cancel := context.WithTimeout(s.closing, callTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, j.callback, bytes.NewReader(body))
	if err != nil {
		return true
	}
	id, stamp := "msg-"+j.id, fmt.Sprint(time.Now().Unix())
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Webhook-Id", id)
	req.Header.Set("Webhook-Timestamp", stamp)
	if _, encoded, ok := strings.Cut(s.CallbackSecret, "_"); ok {
		key, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			return true
		}
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id + "." + stamp + "."))
		mac.Write(body)
		req.Header.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	resp.Body.Close()
	_ = s.book.enter(entry{Event: "callback", Provider: j.provider, Class: j.class, Key: j.key, Tag: j.tag, Job: j.id, Detail: resp.Status})
	return resp.StatusCode < 500
}
