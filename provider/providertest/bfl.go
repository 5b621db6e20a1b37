package providertest

import (
	"encoding/json"
	"net/http"
)

// BFL is the service of package bfl.
func BFL() Service {
	return Service{
		Submits: map[string]Endpoint{"/": func(s *Server, body []byte) []byte {
			var asked struct{ Prompt string }
			json.Unmarshal(body, &asked)
			j := s.Begin("", asked.Prompt, 1, body)
			return must(json.Marshal(map[string]any{"id": j.ID, "polling_url": s.URL + "/v1/get_result?id=" + j.ID, "cost": 4.5}))
		}},
		Asks: map[string]Ask{"GET /v1/get_result": func(s *Server, r *http.Request, _ []byte) (int, []byte) {
			job, done, ok := s.Poll(r.URL.Query().Get("id"))
			switch {
			case !ok:
				return http.StatusOK, []byte(`{"status":"Task not found"}`)
			case !done:
				return http.StatusOK, must(json.Marshal(map[string]any{"id": job.ID, "status": "Pending", "progress": 0.4}))
			}
			return http.StatusOK, must(json.Marshal(map[string]any{"id": job.ID, "status": "Ready",
				"result": map[string]any{"sample": job.Pictures(s)[0], "seed": 42, "prompt": job.Prompt}}))
		}},
	}
}
