package fakeprovider

import "net/http"

// asComfyUI speaks as a ComfyUI server does. See package comfyui: the caller's own id
// is the job's, and the prompt stands in node 6 of its workflow.
type asComfyUI struct{}

func (s *Server) speakComfyUI() {
	s.mux.HandleFunc("POST /{class}/{name}/prompt", s.known(func(w http.ResponseWriter, r *http.Request) {
		var asked struct {
			ID     string `json:"prompt_id"`
			Prompt map[string]struct{ Inputs map[string]any }
		}
		if s.read(w, r, asComfyUI{}, &asked) {
			text, _ := asked.Prompt["6"].Inputs["text"].(string)
			s.take(w, r, asComfyUI{}, order{key: asked.ID, prompt: text})
		}
	}))
	s.mux.HandleFunc("GET /{class}/{name}/history/{key}", s.known(s.history))
	s.mux.HandleFunc("GET /{class}/{name}/queue", s.known(s.queue))
	s.mux.HandleFunc("POST /{class}/{name}/queue", s.known(func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, struct{}{}) }))
	s.mux.HandleFunc("POST /{class}/{name}/interrupt", s.known(s.interrupt))
	s.mux.HandleFunc("GET /{class}/{name}/view", s.known(s.view))
}

func (asComfyUI) take(_ *Server, w http.ResponseWriter, _ *http.Request, j job) {
	writeJSON(w, http.StatusOK, map[string]any{"prompt_id": j.key, "number": 1, "node_errors": struct{}{}})
}

func (asComfyUI) refuse(w http.ResponseWriter, status int, code, message string) {
	writeJSON(w, status, map[string]any{"error": map[string]string{"type": code, "message": message}, "node_errors": struct{}{}})
}

// sure: a gateway's 503 leaves it open whether the server has the job.
func (asComfyUI) sure(status int) bool { return status == http.StatusTooManyRequests }

// keyed returns the job of the caller's id, or nil.
func (s *Server) keyed(provider, key string) *job {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys[[2]string{provider, key}]
}

// history shows a job that has ended, and nothing of others.
func (s *Server) history(w http.ResponseWriter, r *http.Request) {
	name, key := r.PathValue("name"), r.PathValue("key")
	j := s.keyed(name, key)
	if j == nil {
		s.enter(w, entry{Event: "recover", Provider: name, Class: r.PathValue("class"), Key: key})
		writeJSON(w, http.StatusOK, struct{}{})
		return
	}
	s.note(w, "poll", j)
	now := s.now(j)
	type status struct {
		Text      string `json:"status_str"`
		Completed bool   `json:"completed"`
		Messages  []any  `json:"messages"`
	}
	ended := map[string]any{"outputs": struct{}{}}
	switch {
	case now.cancelled():
		ended["status"] = status{"error", false, []any{[]any{"execution_interrupted", struct{}{}}}}
	case !now.done():
		writeJSON(w, http.StatusOK, struct{}{})
		return
	case now.fails:
		ended["status"] = status{"error", false, []any{[]any{"execution_error", map[string]string{"node_type": "KSampler", "exception_message": "the picture could not be drawn"}}}}
	default:
		ended["status"] = status{"success", true, []any{}}
		ended["outputs"] = map[string]any{"9": map[string]any{"images": []any{map[string]string{"filename": now.id + ".png", "subfolder": "", "type": "output"}}}}
	}
	writeJSON(w, http.StatusOK, map[string]any{key: ended})
}

// queue shows the jobs that have not ended.
func (s *Server) queue(w http.ResponseWriter, r *http.Request) {
	running := []any{}
	s.mu.Lock()
	for at, j := range s.keys {
		if at[0] == r.PathValue("name") && !j.done() && !j.cancelled() {
			running = append(running, []any{1, j.key, struct{}{}, struct{}{}, []string{"9"}})
		}
	}
	s.mu.Unlock()
	writeJSON(w, http.StatusOK, map[string]any{"queue_running": running, "queue_pending": []any{}})
}

func (s *Server) interrupt(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		ID string `json:"prompt_id"`
	}
	if !s.read(w, r, asComfyUI{}, &asked) {
		return
	}
	if j := s.keyed(r.PathValue("name"), asked.ID); j != nil {
		s.stop(w, j)
	}
	writeJSON(w, http.StatusOK, struct{}{})
}

func (s *Server) view(w http.ResponseWriter, r *http.Request) {
	s.show(w, r.URL.Query().Get("filename"))
}
