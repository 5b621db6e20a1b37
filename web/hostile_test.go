package web

import (
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/easelqueue/easel/picture"
	"github.com/easelqueue/easel/task"
)

// hostile are texts that want to be more than text.
var hostile = map[string]string{
	"a script":                `<script>alert(1)</script>`,
	"a broken tag":            `<img src=x onerror=alert(1)//`,
	"the end of an attribute": `" onmouseover="alert(1)" x="`,
	"the end of the page":     `</main></body></html><script>alert(1)</script>`,
	"the end of a title":      `</title><script>alert(1)</script>`,
	"a comment":               `<!--`,
	"an SVG":                  `<svg/onload=alert(1)>`,
	"a template":              `{{.Prompt}}{{template "main"}}`,
	"a javascript address":    `javascript:alert(1)`,
	"a hidden one":            "java\tscript:alert(1)",
	"a capital one":           ` JaVaScRiPt:alert(1)`,
	"a data page":             `data:text/html,<script>alert(1)</script>`,
	"a quoted entity":         `&lt;script&gt;&#60;script&#62;`,
	"text written backwards":  "safe\u202Egpj.exe\u2066\u2069",
	"NUL":                     "before\x00<script\x00>after",
	"terminal colours":        "\x1b[31mred\x1b]0;title\x07",
	"C1 controls":             "a\u009bb",
	"no UTF-8":                "a\xff\xfe<b>",
	"32,000 characters":       strings.Repeat("<", task.MaxPrompt),
	"32,000 wide characters":  strings.Repeat("狐", task.MaxPrompt),
}

var (
	tag     = regexp.MustCompile(`<[a-zA-Z/!][^>]*>`)
	value   = regexp.MustCompile(`="[^"]*"`)
	address = regexp.MustCompile(`(?:href|src|action)="([^"]*)"`)
)

// skeleton is the tags of a page without what they say.
func skeleton(page string) []string {
	tags := tag.FindAllString(page, -1)
	for i := range tags {
		tags[i] = value.ReplaceAllString(tags[i], `=""`)
	}
	return tags
}

// writable is a bench whose tasks have every column that easel can fill.
func writable(t *testing.T) *bench {
	b := newBench(t)
	b.draw(b.add(task.Task{}), nil)
	b.fail(b.add(task.Task{}), task.OutcomeUnknown, "x")
	b.add(task.Task{Request: task.Request{Parameters: map[string]string{"name": "x"}}})
	return b
}

// write puts one text into every column that anybody outside can write to. Where
// a picture lies it only goes if a store would take it as a key.
func (b *bench) write(text string) {
	key := text
	if picture.CheckKey(key) != nil {
		key = "plain"
	}
	b.exec(`UPDATE image_generations SET prompt = ?1, negative_prompt = ?1, provider = ?1, model = ?1, size = ?1, quality = ?1, style = ?1,
		input_image_url = ?1, subject_type = ?1, subject_id = ?1, metadata = ?1, idempotency_key = ?1 || id, webhook_url = ?1, worker = ?1,
		task_id = ?1, error_msg = ?1, error_code = 'c' || ?1, image_url = ?1, minio_url = ?1, local_path = ?1, api_response = ?1, currency = ?1,
		cost_micros = 1, reference_images = ?1`, text)
	b.exec("UPDATE generation_parameter SET parameter_name = ?1, parameter_value = ?1", text)
	b.exec(`UPDATE generation_attempt SET provider = ?1, account = ?1, endpoint = ?1, provider_request_id = ?1, error_code = 'c' || ?1, error_msg = ?1,
		worker = ?1, currency = ?1, cost_micros = 1, price_version = ?1, attempt_key = ?1 || id`, text)
	b.exec(`UPDATE generation_result SET generated_image_url = ?1, source_url = ?1, model = ?1, content_type = ?1, sha256 = ?1, revised_prompt = ?1,
		storage_key = ?2, thumbnail_key = ?2`, text, key)
}

var everyPage = []string{"/", "/?status=failed", "/failed", "/tasks/1", "/tasks/2", "/tasks/3"}

func TestHostileText(t *testing.T) {
	b := writable(t)
	b.write("plain")
	plain := make(map[string][]string)
	for _, path := range everyPage {
		plain[path] = skeleton(b.get(path))
	}
	for name, text := range hostile {
		t.Run("Rows that hold "+name+" stay text", func(t *testing.T) {
			b := b.with(t)
			b.write(text)
			for _, path := range everyPage {
				page := b.get(path)
				if d := cmp.Diff(plain[path], skeleton(page)); d != "" {
					t.Errorf("%s has other tags than with plain text:\n%s", path, d)
				}
				checkAddresses(t, path, page)
				checkVisible(t, path, page)
			}
		})
		t.Run("A query that holds "+name+" stays text", func(t *testing.T) {
			b := b.with(t)
			q := url.QueryEscape(text[:min(len(text), 300)])
			for _, path := range []string{"/?status=" + q, "/?kind=" + q, "/?before=" + q, "/failed?retried=" + q} {
				page := b.do(httptest.NewRequest("GET", path, nil)).Body.String()
				if n := strings.Count(page, "<script"); n != 1 {
					t.Errorf("%s has %d scripts", path, n)
				}
				checkVisible(t, path, page)
			}
		})
	}
	t.Run("A key that no store takes is no picture", func(t *testing.T) {
		b := b.with(t)
		for _, key := range []string{"", "../../etc/passwd", "/x.png", "a//b.png", "x\u202E.png", "javascript:\talert(1)", strings.Repeat("x", 600)} {
			b.exec("UPDATE generation_result SET storage_key = ?1, thumbnail_key = ?1", key)
			b.hasNot(b.get("/")+b.get("/tasks/1"), `src="/pictures`, `href="/pictures`)
		}
	})
	t.Run("The check sees a link when there is one", func(t *testing.T) {
		b := b.with(t)
		b.write("https://example.com/")
		if cmp.Equal(plain["/tasks/1"], skeleton(b.get("/tasks/1"))) {
			t.Error("a linked address gives the same tags as plain text")
		}
	})
}

func checkAddresses(t *testing.T, path, page string) {
	t.Helper()
	for _, m := range address.FindAllStringSubmatch(page, -1) {
		if a := m[1]; !strings.HasPrefix(a, "/") && a != "#main" || strings.HasPrefix(a, "//") {
			t.Errorf("%s leads to %.80q", path, a)
		}
	}
}

func checkVisible(t *testing.T, path, page string) {
	t.Helper()
	for _, r := range page {
		if unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' || unicode.Is(unicode.Bidi_Control, r) {
			t.Errorf("%s holds %U", path, r)
			return
		}
	}
}

func TestLink(t *testing.T) {
	for address, linked := range map[string]bool{
		"https://example.com/a?b=c#d": true, "http://example.com": true, "HTTPS://EXAMPLE.COM": true,
		"javascript:alert(1)": false, "data:text/html,x": false, "file:///etc/passwd": false, "ftp://example.com": false,
		"//example.com": false, "/tasks/1": false, "https:": false, "https:///x": false, "": false, "http://a b/": false, "https://example.com/\x00": false,
		"vbscript:x": false, "jav\nascript:alert(1)": false,
	} {
		t.Run("A link is made of http and https only: "+url.QueryEscape(address), func(t *testing.T) {
			if got := link(address); (got != "") != linked || linked && got != address {
				t.Errorf("got %q", got)
			}
		})
	}
}
