package providertest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// OpenAIJobs is a gateway that speaks as OpenAI, below /v1, and draws later: it answers
// to the /async paths with a job, as one family of gateways does. Listed makes it one
// of the other family, which names the job within data whatever the path.
func OpenAIJobs(listed bool) Service {
	poll := func(s *Server, r *http.Request, _ []byte) (int, []byte) {
		j, done, ok := s.Poll(r.PathValue("id"))
		if !ok {
			return http.StatusNotFound, []byte(`{"error":{"message":"no such task","type":"invalid_request_error"}}`)
		}
		return http.StatusOK, openAIJob(s, j, done, listed)
	}
	at := "GET /v1/images/tasks/{id}"
	if listed {
		at = "GET /v1/tasks/{id}"
	}
	return Service{
		Submits: map[string]Endpoint{"/": func(s *Server, body []byte) []byte {
			prompt, images := asked(body)
			j := s.Begin("", prompt, images, body)
			if listed {
				return must(json.Marshal(map[string]any{"code": 200, "data": []any{map[string]any{"status": "submitted", "task_id": j.ID}}}))
			}
			return openAIJob(s, j, false, false)
		}},
		Asks: map[string]Ask{at: poll},
	}
}

// asked reads a submit, which is JSON or a form.
func asked(body []byte) (prompt string, images int) {
	var a struct {
		Prompt string
		N      int
	}
	if json.Unmarshal(body, &a) != nil {
		a.Prompt = field(body, "prompt")
		fmt.Sscan(field(body, "n"), &a.N)
	}
	return a.Prompt, a.N
}

func openAIJob(s *Server, j Job, done, listed bool) []byte {
	status := "processing"
	if done {
		status = "completed"
	}
	job := map[string]any{"id": j.ID, "status": status, "progress": 40}
	if !listed {
		job["task_id"], job["object"], job["poll_url"] = j.ID, "image.generation.task", s.URL+"/v1/images/tasks/"+j.ID
	}
	var data []map[string]any
	for _, u := range j.Pictures(s) {
		if listed {
			data = append(data, map[string]any{"url": []string{u}})
			continue
		}
		data = append(data, map[string]any{"url": u})
	}
	switch {
	case done && listed:
		job["result"] = map[string]any{"images": data}
	case done:
		job["image_url"], job["http_status"] = data[0]["url"], 200
		job["result"] = map[string]any{"created": 1, "data": data, "usage": map[string]any{"input_tokens": 10.5, "output_tokens": 20}}
	}
	if listed {
		return must(json.Marshal(map[string]any{"code": 200, "data": job}))
	}
	return must(json.Marshal(job))
}

// WantsForms makes a gateway refuse edits that are not sent as forms, as status says.
func WantsForms(status int) func(Submit) Behaviour {
	return func(s Submit) Behaviour {
		if strings.HasPrefix(s.Header.Get("Content-Type"), "multipart/form-data") {
			return Draws()
		}
		refusal := Answers(status, `{"error":{"message":"Content-Type must be multipart/form-data","type":"invalid_request_error"}}`)
		refusal.Bills = false
		return refusal
	}
}
