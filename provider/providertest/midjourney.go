package providertest

import (
	"encoding/json"
	"net/http"
)

// Midjourney is a proxy of package midjourney, below /mj.
func Midjourney() Service {
	said := func(s *Server, j Job, done bool) map[string]any {
		var asked struct{ State string }
		json.Unmarshal(j.Body, &asked)
		t := map[string]any{"id": j.ID, "action": "IMAGINE", "status": "IN_PROGRESS", "progress": "45%", "state": asked.State, "prompt": j.Prompt,
			"imageUrl": s.PictureURL("preview"), "failReason": nil, "properties": map[string]string{"finalPrompt": j.Prompt}}
		switch {
		case j.Cancelled:
			t["status"] = "CANCEL"
		case done:
			t["status"], t["progress"], t["imageUrl"] = "SUCCESS", "100%", j.Pictures(s)[0]
		}
		return t
	}
	return Service{
		Submits: map[string]Endpoint{"/": func(s *Server, body []byte) []byte {
			var asked struct{ Prompt string }
			json.Unmarshal(body, &asked)
			j := s.Begin("", asked.Prompt, 1, body)
			return must(json.Marshal(map[string]any{"code": 22, "description": "排队中，前面还有1个任务", "result": j.ID, "properties": map[string]int{"numberOfQueues": 1}}))
		}},
		Asks: map[string]Ask{
			"GET /mj/task/{id}/fetch": func(s *Server, r *http.Request, _ []byte) (int, []byte) {
				j, done, ok := s.Poll(r.PathValue("id"))
				if !ok {
					return http.StatusNoContent, nil
				}
				return http.StatusOK, must(json.Marshal(said(s, j, done)))
			},
			"GET /mj/task/list": func(s *Server, _ *http.Request, _ []byte) (int, []byte) {
				all := []map[string]any{}
				for _, j := range s.Jobs() {
					all = append(all, said(s, j, false))
				}
				return http.StatusOK, must(json.Marshal(all))
			},
			"POST /mj/task/{id}/cancel": func(s *Server, r *http.Request, _ []byte) (int, []byte) {
				s.Stop(r.PathValue("id"))
				return http.StatusOK, nil
			},
		},
	}
}
