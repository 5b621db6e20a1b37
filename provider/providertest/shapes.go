package providertest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Shape is a way in which an answer is not as the service documents it, and still
// names its pictures. Change returns the answer in that shape.
type Shape struct {
	Claim  string
	Change func(s *Server, answer []byte) []byte
}

// Behaviour answers well, but in that shape.
func (sh Shape) Behaviour(s *Server) Behaviour {
	return Behaviour{Name: sh.Claim, Bills: true, Serve: func(w http.ResponseWriter, _ *http.Request, answer []byte) {
		if json.Valid(answer) { // what is no JSON is a picture
			answer = sh.Change(s, answer)
		}
		w.Write(answer)
	}}
}

// Shapes are those that every adapter must read.
func Shapes() []Shape { return slices.Concat(framings(), strangers(), numbers(), odd(), places()) }

// framings put something around the JSON.
func framings() (all []Shape) {
	add := func(claim string, change func(answer string) string) {
		all = append(all, Shape{claim, func(_ *Server, answer []byte) []byte { return []byte(change(string(answer))) }})
	}
	add("a byte order mark", func(a string) string { return "\xef\xbb\xbf" + a })
	add("blank lines before", func(a string) string { return "\r\n\n  \n" + a })
	add("a keep-alive comment before", func(a string) string { return ": keep-alive\n\n" + a })
	add("many keep-alive comments before", func(a string) string { return strings.Repeat(":\r\n", 500) + a })
	add("a byte order mark and a comment", func(a string) string { return "\xef\xbb\xbf: ping\n\n" + a })
	add("an event", func(a string) string { return "data: " + a + "\n\n" })
	add("an event without its blank line", func(a string) string { return "data:" + a })
	add("an event with a name", func(a string) string { return "event: message\nid: 7\nretry: 10\ndata: " + a + "\n\n" })
	add("an event and the end of the stream", func(a string) string { return "data: " + a + "\n\ndata: [DONE]\n\n" })
	add("an event of several lines", func(a string) string {
		var b bytes.Buffer
		json.Indent(&b, []byte(a), "", " ")
		return "event: message\ndata: " + strings.ReplaceAll(b.String(), "\n", "\ndata: ") + "\n\n"
	})
	add("comments among events", func(a string) string { return ": a\n\nevent: ping\n\ndata: " + a + "\n\n: b\n\n" })
	add("a comment behind", func(a string) string { return a + "\n: end\n" })
	add("something behind", func(a string) string { return a + "\n<!-- served by a proxy -->" })
	add("a text behind", func(a string) string { return a + "\n\"[DONE]\"" })
	add("a number behind", func(a string) string { return a + "\n0" })
	add("an event and the quoted end of the stream", func(a string) string { return "data: " + a + "\n\ndata: \"[DONE]\"\n\n" })
	add("keep-alives that are numbers and texts", func(a string) string {
		return "data: 1\n\ndata: \"ping\"\n\ndata: " + a + "\n\ndata: true\n\n"
	})
	add("indentation", func(a string) string {
		var b bytes.Buffer
		json.Indent(&b, []byte(a), "\t", "  ")
		return b.String()
	})
	add("escaped slashes", func(a string) string { return strings.ReplaceAll(a, "/", `\/`) })
	return all
}

// Changed is a shape that changes the decoded answer.
func Changed(claim string, change func(s *Server, v any) any) Shape {
	return Shape{claim, func(s *Server, answer []byte) []byte {
		var v any
		read := json.NewDecoder(bytes.NewReader(answer))
		read.UseNumber()
		if read.Decode(&v) != nil {
			return answer
		}
		var b bytes.Buffer
		write := json.NewEncoder(&b)
		write.SetEscapeHTML(false)
		write.Encode(change(s, v)) // of decoded JSON: cannot fail
		return b.Bytes()
	}}
}

// Walk applies change to every value, innermost first.
func Walk(v any, change func(v any) any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for _, name := range slices.Sorted(maps.Keys(v)) {
			out[name] = Walk(v[name], change)
		}
		return change(out)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = Walk(v[i], change)
		}
		return change(out)
	}
	return change(v)
}

// oddities are values of every type.
var oddities = []any{"a text", json.Number("1.5"), true, nil, []any{"a"}, map[string]any{"a": json.Number("1")}}

// strangers add what nobody has asked for.
func strangers() (all []Shape) {
	for _, odd := range oddities {
		all = append(all, Changed(fmt.Sprintf("a field more in each object: %v", odd), func(_ *Server, v any) any {
			return Walk(v, func(v any) any {
				if m, ok := v.(map[string]any); ok {
					m["x_more"] = odd
				}
				return v
			})
		}))
	}
	for claim, where := range map[string][2]bool{"null first in each list": {true, false}, "null last in each list": {false, true}, "null around each list": {true, true}} {
		all = append(all, Changed(claim, func(_ *Server, v any) any {
			return Walk(v, func(v any) any {
				l, ok := v.([]any)
				if ok && where[0] {
					l = append([]any{nil}, l...)
				}
				if ok && where[1] {
					l = append(l, nil)
				}
				if ok {
					return l
				}
				return v
			})
		}))
	}
	return all
}

// numbers have the numbers that stand in objects in other types.
func numbers() (all []Shape) {
	for claim, change := range map[string]func(n json.Number) any{
		"as texts": func(n json.Number) any { return n.String() },
		"as floats": func(n json.Number) any {
			return json.Number(strings.TrimSuffix(n.String(), ".0") + map[bool]string{false: ".0"}[strings.Contains(n.String(), ".")])
		},
		"as null":    func(json.Number) any { return nil },
		"as truths":  func(json.Number) any { return true },
		"as objects": func(n json.Number) any { return map[string]any{"value": n} },
		"as lists":   func(n json.Number) any { return []any{n} },
	} {
		all = append(all, Changed("numbers "+claim, func(_ *Server, v any) any {
			return Walk(v, func(v any) any {
				m, _ := v.(map[string]any)
				for name, value := range m {
					if n, ok := value.(json.Number); ok {
						m[name] = change(n)
					}
				}
				return v
			})
		}))
	}
	return all
}

// odd has fields that no picture needs in every type.
func odd() (all []Shape) {
	for _, name := range []string{"created", "usage", "usageMetadata", "message"} {
		for _, value := range oddities {
			all = append(all, Changed(fmt.Sprintf("%s is %v", name, value), func(_ *Server, v any) any {
				if m, ok := v.(map[string]any); ok {
					m[name] = value
				}
				return v
			}))
		}
	}
	return all
}

// places have the pictures elsewhere, or in another spelling.
func places() (all []Shape) {
	add := func(claim string, change func(s *Server, address, content string) any) {
		all = append(all, Changed(claim, func(s *Server, v any) any {
			return Walk(v, func(v any) any {
				text, ok := v.(string)
				if !ok {
					return v
				}
				if address, content := s.pictureIn(text); content != "" {
					if other := change(s, address, content); other != nil {
						return other
					}
				}
				return v
			})
		}))
	}
	url := func(change func(s *Server, address, content string) any) func(*Server, string, string) any {
		return func(s *Server, address, content string) any {
			if address == "" {
				return nil
			}
			return change(s, address, content)
		}
	}
	add("a data URL", func(_ *Server, _, c string) any { return "data:image/png;base64," + c })
	add("a data URL in capitals", func(_ *Server, _, c string) any { return "DATA:image/png;charset=utf-8;BASE64," + c })
	add("base64 of the other alphabet", func(_ *Server, _, c string) any {
		return "data:image/png;base64," + strings.NewReplacer("+", "-", "/", "_").Replace(c)
	})
	add("base64 without padding", func(_ *Server, _, c string) any { return strings.TrimRight(c, "=") })
	add("base64 with line breaks", func(_ *Server, _, c string) any { return c[:40] + "\r\n" + c[40:80] + "\n" + c[80:] + "\n" })
	add("base64 with spaces", func(_ *Server, _, c string) any { return "data:image/png;base64, " + c[:80] + " " + c[80:] })
	add("spaces around the address", url(func(_ *Server, a, _ string) any { return "  " + a + "\n" }))
	add("an address without its host", url(func(s *Server, a, _ string) any { return strings.TrimPrefix(a, s.URL) }))
	add("an address without its scheme", url(func(_ *Server, a, _ string) any { return strings.TrimPrefix(a, "http:") }))
	add("an address with a raw percent sign, a space and Chinese", url(func(_ *Server, a, _ string) any { return strings.Replace(a, ".png?", "雪 100%.png?", 1) }))
	return all
}

// pictureIn returns the address and the base64 of the picture that a text of an answer
// of s is; nothing if it is none. Previews are none.
func (s *Server) pictureIn(text string) (address, content string) {
	if sum, ok := s.sumOf(text); ok {
		return text, base64.StdEncoding.EncodeToString(colour(sum))
	}
	if raw, err := base64.StdEncoding.DecodeString(text); err == nil && bytes.HasPrefix(raw, []byte("\x89PNG")) {
		return "", text
	}
	return "", ""
}
