package providertest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
)

// JimengSecret is the second half of the key that the service of Jimeng knows.
const JimengSecret = canary

// Jimeng is the service of package jimeng. Both of its requests are POSTs to one
// path, told apart by their query, and it refuses what is not signed with
// JimengSecret.
func Jimeng() Service {
	said := func(data map[string]any) []byte {
		return must(json.Marshal(map[string]any{"code": 10000, "data": data, "message": "Success", "request_id": "r-1"}))
	}
	query := func(s *Server, r *http.Request, body []byte) (int, []byte) {
		if !JimengSigned(r, body) {
			return http.StatusUnauthorized, []byte(`{"code":50400,"message":"the signature is wrong"}`)
		}
		var asked struct {
			ID  string `json:"task_id"`
			Ask string `json:"req_json"`
		}
		json.Unmarshal(body, &asked)
		j, done, ok := s.Poll(asked.ID)
		switch {
		case !ok:
			return http.StatusOK, said(map[string]any{"status": "not_found"})
		case !done:
			return http.StatusOK, said(map[string]any{"status": "generating"})
		case strings.Contains(asked.Ask, `"return_url":true`):
			return http.StatusOK, said(map[string]any{"status": "done", "image_urls": j.Pictures(s)})
		}
		return http.StatusOK, said(map[string]any{"status": "done", "binary_data_base64": [][]byte{Picture(j.Seed(0))}})
	}
	return Service{
		Submits: map[string]Endpoint{"/": func(s *Server, body []byte) []byte {
			var asked struct{ Prompt string }
			json.Unmarshal(body, &asked)
			return said(map[string]any{"task_id": s.Begin("", asked.Prompt, 1, body).ID})
		}},
		Free: func(r *http.Request) Ask {
			if r.URL.Query().Get("Action") == "CVSync2AsyncGetResult" {
				return query
			}
			return nil
		},
	}
}

var signature = regexp.MustCompile(`^HMAC-SHA256 Credential=[^/]+/(\d{8})/cn-north-1/cv/request, SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})$`)

// JimengSigned checks the signature of a request from what arrived alone.
func JimengSigned(r *http.Request, body []byte) bool {
	parts := signature.FindStringSubmatch(r.Header.Get("Authorization"))
	if parts == nil {
		return false
	}
	sum := func(b []byte) string { d := sha256.Sum256(b); return hex.EncodeToString(d[:]) }
	canonical := r.Method + "\n" + r.URL.Path + "\n" + r.URL.Query().Encode() + "\n"
	for name := range strings.SplitSeq(parts[2], ";") {
		value := r.Header.Get(name)
		if name == "host" {
			value = r.Host
		}
		canonical += name + ":" + value + "\n"
	}
	canonical += "\n" + parts[2] + "\n" + sum(body)
	text := "HMAC-SHA256\n" + r.Header.Get("X-Date") + "\n" + parts[1] + "/cn-north-1/cv/request\n" + sum([]byte(canonical))
	key := []byte(JimengSecret)
	for _, part := range []string{parts[1], "cn-north-1", "cv", "request", text} {
		m := hmac.New(sha256.New, key)
		m.Write([]byte(part))
		key = m.Sum(nil)
	}
	return hex.EncodeToString(key) == parts[3] && strings.HasPrefix(r.Header.Get("X-Date"), parts[1])
}
