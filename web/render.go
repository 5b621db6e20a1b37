package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/easelqueue/easel/internal/human"
)

//go:embed templates
var templateFiles embed.FS

//go:embed assets
var assetFiles embed.FS

// answer is what a handler has to say: a view, a redirect or a file.
type answer interface {
	write(s *Site, w http.ResponseWriter, status int) error
}

// handler answers a request. Its error is a refusal for the reader, or a fault
// for the log.
type handler func(r *http.Request) (answer, error)

// page makes h a part of the site: with the headers of pages, and a page for
// each error.
func (s *Site) page(h handler) http.Handler {
	policy := s.policy()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", policy)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("X-Frame-Options", "DENY")
		header.Set("Referrer-Policy", "same-origin") // none at all would hide from Guard where a form comes from
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Cache-Control", "no-store")
		status := http.StatusOK
		a, err := h(r)
		if err != nil {
			refused, fault := refusalFor(err)
			if fault {
				s.logged(r, err)
			}
			if refused.Later {
				header.Set("Retry-After", "10")
			}
			a, status = view{name: "refusal", Title: refused.Title, Data: refused}, refused.Status
		}
		if v, ok := a.(view); ok {
			v.Lang = language(r)
			a = v
		}
		if err := a.write(s, w, status); err != nil {
			s.logged(r, err)
		}
	})
}

// view is a page: a template with what it shows.
type view struct {
	name    string // of the template
	Title   string
	Here    string // the part of the site that it belongs to
	Refresh int    // seconds after which it may have changed by itself; 0 is never
	Data    any

	HasQueues, HasOperations, ReadOnly bool
	Lang                               human.Language
}

func (v view) write(s *Site, w http.ResponseWriter, status int) error {
	v.HasQueues, v.HasOperations, v.ReadOnly = s.HasQueues, s.Waits != nil, s.ReadOnly
	var buf bytes.Buffer
	if err := pages()[v.Lang][v.name].Execute(&buf, v); err != nil {
		http.Error(w, "This page cannot be shown.", http.StatusInternalServerError)
		return fmt.Errorf("render %s: %w", v.name, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(bytes.Map(visible, buf.Bytes())) // an error is a reader who did not wait
	return nil
}

// visible replaces what could change how the text around it looks: control
// characters, and those that turn the direction of writing. It works on whole
// pages, so that no field can be forgotten.
func visible(r rune) rune {
	switch {
	case r == '\n', r == '\r', r == '\t':
		return r
	case unicode.IsControl(r), r >= 0x202A && r <= 0x202E, r >= 0x2066 && r <= 0x2069:
		return utf8.RuneError
	}
	return r
}

// redirect sends the browser to another page of ours after a change.
type redirect string

func (to redirect) write(_ *Site, w http.ResponseWriter, _ int) error {
	w.Header().Set("Location", string(to))
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// file is one of assets.
type file struct {
	contentType string
	data        []byte
}

func (f file) write(_ *Site, w http.ResponseWriter, status int) error {
	w.Header().Set("Content-Type", f.contentType)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable") // addresses carry the version
	w.WriteHeader(status)
	w.Write(f.data)
	return nil
}

// asset is the handler of files that are a part of the program.
func asset(r *http.Request) (answer, error) {
	name := r.PathValue("name")
	contentType, ok := assetTypes[path.Ext(name)]
	data, err := assetFiles.ReadFile("assets/" + name)
	if err != nil || !ok {
		return nil, errNoPage
	}
	return file{contentType, data}, nil
}

var assetTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

// assetPath is the address of an asset, another one for each version of it.
func assetPath(name string) (string, error) {
	data, err := assetFiles.ReadFile("assets/" + name)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return "/assets/" + name + "?v=" + hex.EncodeToString(sum[:6]), nil
}

// pages are the templates by language and name, each inside the layout. They are parsed when the
// first page is shown: a command that shows none would take twice as long to start.
var pages = sync.OnceValue(func() map[human.Language]map[string]*template.Template {
	return map[human.Language]map[string]*template.Template{human.English: parsePages(human.English), human.Chinese: parsePages(human.Chinese)}
})

func parsePages(l human.Language) map[string]*template.Template {
	layout := template.Must(template.New("layout.html").Funcs(template.FuncMap{
		"say": say(l), "advise": advise(l), "remedy": remedy(l), "ago": l.Ago, "asset": assetPath, "clock": human.Time, "link": link, "stamp": stamp, "lasted": func(at, then time.Time) string { return l.Span(max(at.Sub(then), 0)) },
	}).ParseFS(templateFiles, "templates/layout.html", "templates/parts.html"))
	all := make(map[string]*template.Template)
	for _, name := range []string{"gallery", "story", "failed", "confirm", "refusal", "operations"} {
		all[name] = template.Must(template.Must(layout.Clone()).ParseFS(templateFiles, "templates/"+name+".html"))
	}
	return all
}
