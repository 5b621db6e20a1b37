package providertest

import (
	"bytes"
	"encoding/json"
	"mime/multipart"
)

// Stability is the service of package stability.
func Stability() Service {
	return Service{Submits: map[string]Endpoint{"/": func(s *Server, body []byte) []byte {
		j := s.Begin("", field(body, "prompt"), 1, body)
		return must(json.Marshal(map[string]any{"image": Picture(j.Seed(0)), "finish_reason": "SUCCESS", "seed": 343940597}))
	}}}
}

// field returns a text of a multipart form, whose boundary is its first line.
func field(body []byte, name string) string {
	line, _, _ := bytes.Cut(body, []byte("\r\n"))
	form, err := multipart.NewReader(bytes.NewReader(body), string(bytes.TrimPrefix(line, []byte("--")))).ReadForm(32 << 20)
	if err != nil || len(form.Value[name]) == 0 {
		return ""
	}
	return form.Value[name][0]
}
