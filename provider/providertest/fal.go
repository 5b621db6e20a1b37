package providertest

import (
	"encoding/json"
	"net/http"
)

// Fal is the service of package fal.
func Fal() Service {
	unknown := func() (int, []byte) { return http.StatusNotFound, []byte(`{"detail":"Request not found"}`) }
	queued := func(s *Server, j Job, status string) []byte {
		at := s.URL + "/acme/brush/requests/" + j.ID
		return must(json.Marshal(map[string]any{"status": status, "request_id": j.ID, "queue_position": 0,
			"status_url": at + "/status", "response_url": at, "cancel_url": at + "/cancel"}))
	}
	return Service{
		Submits: map[string]Endpoint{"/": func(s *Server, body []byte) []byte {
			var asked struct {
				Prompt string
				Images int `json:"num_images"`
			}
			json.Unmarshal(body, &asked)
			return queued(s, s.Begin("", asked.Prompt, asked.Images, body), "IN_QUEUE")
		}},
		Asks: map[string]Ask{
			"GET /acme/brush/requests/{id}/status": func(s *Server, r *http.Request, _ []byte) (int, []byte) {
				j, done, ok := s.Poll(r.PathValue("id"))
				switch {
				case !ok:
					return unknown()
				case done || j.Cancelled:
					return http.StatusOK, queued(s, j, "COMPLETED")
				}
				return http.StatusAccepted, queued(s, j, "IN_PROGRESS")
			},
			"GET /acme/brush/requests/{id}": func(s *Server, r *http.Request, _ []byte) (int, []byte) {
				j, _, ok := s.Look(r.PathValue("id"))
				switch {
				case !ok:
					return unknown()
				case j.Cancelled:
					return 499, []byte(`{"detail":"Request was cancelled by the client","error_type":"client_cancelled"}`)
				}
				var images []map[string]any
				for _, u := range j.Pictures(s) {
					images = append(images, map[string]any{"url": u, "width": 64, "height": 64, "content_type": "image/png"})
				}
				return http.StatusOK, must(json.Marshal(map[string]any{"images": images, "seed": 42, "prompt": j.Prompt, "has_nsfw_concepts": make([]bool, len(images))}))
			},
			"PUT /acme/brush/requests/{id}/cancel": func(s *Server, r *http.Request, _ []byte) (int, []byte) {
				if !s.Stop(r.PathValue("id")) {
					return http.StatusBadRequest, []byte(`{"status":"ALREADY_COMPLETED"}`)
				}
				return http.StatusAccepted, []byte(`{"status":"CANCELLATION_REQUESTED"}`)
			},
		},
	}
}
