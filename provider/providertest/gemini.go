package providertest

import "encoding/json"

// Gemini is the service of package gemini.
func Gemini() Service {
	return Service{Submits: map[string]Endpoint{"/": func(s *Server, body []byte) []byte {
		var asked struct {
			Contents []struct{ Parts []struct{ Text string } }
		}
		json.Unmarshal(body, &asked)
		prompt := ""
		if len(asked.Contents) > 0 && len(asked.Contents[0].Parts) > 0 {
			prompt = asked.Contents[0].Parts[0].Text
		}
		j := s.Begin("", prompt, 1, body)
		data := map[string]any{"inlineData": map[string]any{"mimeType": "image/png", "data": Picture(j.Seed(0))}}
		return must(json.Marshal(map[string]any{
			"candidates":    []any{map[string]any{"content": map[string]any{"role": "model", "parts": []any{data}}, "finishReason": "STOP"}},
			"usageMetadata": map[string]int{"promptTokenCount": 268, "candidatesTokenCount": 1120, "totalTokenCount": 1388},
			"modelVersion":  "test", "responseId": j.ID}))
	}}}
}
