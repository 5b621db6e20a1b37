package providertest

import (
	"encoding/json"
	"net/http"
	"strings"
)

// ComfyUI is the server of package comfyui, behind a proxy that lets nobody see a
// picture without a token. It takes the caller's own id for a job,
// and reads the prompt where the built-in workflow has it.
func ComfyUI() Service {
	return Service{
		Submits: map[string]Endpoint{"/": queueComfy},
		Asks: map[string]Ask{
			"GET /history/{id}": comfyHistory,
			"GET /queue":        comfyQueue,
			"POST /queue":       Said(http.StatusOK, "{}"),
			"POST /interrupt": func(s *Server, _ *http.Request, body []byte) (int, []byte) {
				var asked struct {
					ID string `json:"prompt_id"`
				}
				json.Unmarshal(body, &asked)
				s.Stop(asked.ID)
				return http.StatusOK, []byte("{}")
			},
			"POST /upload/image": func(_ *Server, _ *http.Request, body []byte) (int, []byte) {
				_, rest, _ := strings.Cut(string(body), `filename="`)
				name, _, _ := strings.Cut(rest, `"`)
				return http.StatusOK, must(json.Marshal(map[string]string{"name": name, "subfolder": "", "type": "input"}))
			},
			"GET /view": func(_ *Server, r *http.Request, _ []byte) (int, []byte) {
				if !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") {
					return http.StatusUnauthorized, []byte("{}")
				}
				return http.StatusOK, Picture(r.URL.Query().Get("filename"))
			},
		},
	}
}

func queueComfy(s *Server, body []byte) []byte {
	var asked struct {
		ID     string `json:"prompt_id"`
		Prompt map[string]struct {
			Inputs struct {
				Text  any
				Batch any `json:"batch_size"`
			}
		}
	}
	json.Unmarshal(body, &asked)
	prompt, _ := asked.Prompt["6"].Inputs.Text.(string)
	images, _ := asked.Prompt["5"].Inputs.Batch.(float64)
	j := s.Begin(asked.ID, prompt, int(images), body)
	return must(json.Marshal(map[string]any{"prompt_id": j.ID, "number": 1, "node_errors": map[string]any{}}))
}

func comfyHistory(s *Server, r *http.Request, _ []byte) (int, []byte) {
	j, done, ok := s.Poll(r.PathValue("id"))
	if !ok || !done && !j.Cancelled {
		return http.StatusOK, []byte("{}")
	}
	if j.Cancelled {
		return http.StatusOK, must(json.Marshal(map[string]any{j.ID: map[string]any{"outputs": map[string]any{},
			"status": map[string]any{"status_str": "error", "completed": false, "messages": []any{[]any{"execution_interrupted", map[string]any{}}}}}}))
	}
	var images []map[string]string
	for i := range j.Images {
		images = append(images, map[string]string{"filename": j.Seed(i), "subfolder": "", "type": "output"})
	}
	return http.StatusOK, must(json.Marshal(map[string]any{j.ID: map[string]any{"outputs": map[string]any{"9": map[string]any{"images": images}},
		"status": map[string]any{"status_str": "success", "completed": true, "messages": []any{}}}}))
}

func comfyQueue(s *Server, _ *http.Request, _ []byte) (int, []byte) {
	running := []any{}
	for _, j := range s.Jobs() {
		if _, done, _ := s.Look(j.ID); !done && !j.Cancelled {
			running = append(running, []any{1, j.ID, map[string]any{}, map[string]any{}, []string{"9"}})
		}
	}
	return http.StatusOK, must(json.Marshal(map[string]any{"queue_running": running, "queue_pending": []any{}}))
}
