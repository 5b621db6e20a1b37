package providertest

import (
	"encoding/json"
	"net/http"
)

// Replicate is the service of package replicate, below /v1.
func Replicate() Service {
	ask := func(s *Server, r *http.Request, _ []byte) (int, []byte) {
		job, done, ok := s.Poll(r.PathValue("id"))
		if !ok {
			return http.StatusNotFound, []byte(`{"detail":"Not found."}`)
		}
		return http.StatusOK, prediction(s, job, done)
	}
	return Service{
		Submits: map[string]Endpoint{"/": func(s *Server, body []byte) []byte {
			var asked struct {
				Input struct {
					Prompt  string
					Outputs int `json:"num_outputs"`
				}
			}
			json.Unmarshal(body, &asked)
			return prediction(s, s.Begin("", asked.Input.Prompt, asked.Input.Outputs, body), false)
		}},
		Asks: map[string]Ask{
			"GET /v1/predictions/{id}": ask,
			"POST /v1/predictions/{id}/cancel": func(s *Server, r *http.Request, _ []byte) (int, []byte) {
				s.Stop(r.PathValue("id"))
				job, done, ok := s.Look(r.PathValue("id"))
				if !ok {
					return http.StatusNotFound, []byte(`{"detail":"Not found."}`)
				}
				return http.StatusOK, prediction(s, job, done)
			},
			"POST /v1/files": func(s *Server, _ *http.Request, body []byte) (int, []byte) {
				return http.StatusCreated, must(json.Marshal(map[string]any{"id": "file-1", "urls": map[string]string{"get": s.URL + "/v1/files/file-1"}}))
			},
		},
	}
}

func prediction(s *Server, j Job, done bool) []byte {
	p := map[string]any{"id": j.ID, "model": "acme/brush", "version": "hidden", "status": "processing", "error": nil, "output": nil, "logs": "",
		"urls": map[string]string{"get": s.URL + "/v1/predictions/" + j.ID, "cancel": s.URL + "/v1/predictions/" + j.ID + "/cancel"}}
	switch {
	case j.Cancelled:
		p["status"] = "canceled"
	case done:
		p["status"], p["output"], p["metrics"] = "succeeded", j.Pictures(s), map[string]float64{"predict_time": 0.61}
	}
	return must(json.Marshal(p))
}
