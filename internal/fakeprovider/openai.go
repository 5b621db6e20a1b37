package fakeprovider

import (
	"net/http"
	"time"
)

// asOpenAI speaks as OpenAI's endpoint of images does, or, unless the fake provider is
// inline, as its imitators that answer with addresses. See package openai.
type asOpenAI struct{}

func (s *Server) speakOpenAI() {
	s.mux.HandleFunc("POST /{class}/{name}/v1/images/generations", s.known(func(w http.ResponseWriter, r *http.Request) {
		var asked struct{ Prompt string }
		if s.read(w, r, asOpenAI{}, &asked) {
			s.take(w, r, asOpenAI{}, order{key: r.Header.Get("X-Client-Request-Id"), prompt: asked.Prompt})
		}
	}))
}

func (asOpenAI) take(s *Server, w http.ResponseWriter, r *http.Request, j job) {
	if j.fails {
		asOpenAI{}.refuse(w, http.StatusBadRequest, "moderation_blocked", "the request was rejected by the safety system")
		return
	}
	picture := map[string]any{"b64_json": j.picture}
	if !s.Inline {
		picture = map[string]any{"url": s.pictureURL(r, j.id)}
	}
	w.Header().Set("X-Request-Id", "req-"+j.id)
	writeJSON(w, http.StatusOK, map[string]any{"created": time.Now().Unix(), "output_format": "png", "data": []any{picture}})
}

// refuse writes the service's own codes for what it turns away.
func (asOpenAI) refuse(w http.ResponseWriter, status int, code, message string) {
	switch code {
	case "busy":
		code = "server_is_overloaded"
	case "too_many":
		code = "rate_limit_exceeded"
	case "own_fault":
		code = "server_error"
	case "internal", "no_book": // of a picture that was drawn the service itself says nothing
		badGateway(w)
		return
	}
	refuse(w, status, code, message)
}

func (asOpenAI) sure(int) bool { return true }
