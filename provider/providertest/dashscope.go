package providertest

import (
	"encoding/json"
	"net/http"
)

// DashScope is the service of package dashscope, below /api/v1.
func DashScope() Service {
	said := func(s *Server, j Job, status string) []byte {
		out := map[string]any{"task_id": j.ID, "task_status": status}
		answer := map[string]any{"request_id": "r-" + j.ID, "output": out}
		if status == "SUCCEEDED" {
			var results []map[string]string
			for _, u := range j.Pictures(s) {
				results = append(results, map[string]string{"url": u, "orig_prompt": j.Prompt, "actual_prompt": j.Prompt + ", soft light"})
			}
			out["results"], answer["usage"] = results, map[string]int{"image_count": j.Images}
		}
		return must(json.Marshal(answer))
	}
	return Service{
		Submits: map[string]Endpoint{"/": func(s *Server, body []byte) []byte {
			var asked struct {
				Input      struct{ Prompt string }
				Parameters struct{ N int }
			}
			json.Unmarshal(body, &asked)
			return said(s, s.Begin("", asked.Input.Prompt, asked.Parameters.N, body), "PENDING")
		}},
		Asks: map[string]Ask{
			"GET /api/v1/tasks/{id}": func(s *Server, r *http.Request, _ []byte) (int, []byte) {
				j, done, ok := s.Poll(r.PathValue("id"))
				switch {
				case !ok:
					return http.StatusOK, said(s, Job{ID: r.PathValue("id")}, "UNKNOWN")
				case j.Cancelled:
					return http.StatusOK, said(s, j, "CANCELED")
				case done:
					return http.StatusOK, said(s, j, "SUCCEEDED")
				}
				return http.StatusOK, said(s, j, "RUNNING")
			},
			"POST /api/v1/tasks/{id}/cancel": func(s *Server, r *http.Request, _ []byte) (int, []byte) {
				if !s.Stop(r.PathValue("id")) {
					return http.StatusBadRequest, []byte(`{"code":"UnsupportedOperation","message":"only pending tasks"}`)
				}
				return http.StatusOK, []byte(`{"request_id":"c"}`)
			},
		},
	}
}
