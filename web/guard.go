package web

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// policy is the Content-Security-Policy of all pages: even if a text got into a
// page as markup, nothing of it would run or call anybody.
func (s *Site) policy() string {
	from := "'self' data:"
	if s.PictureOrigin != "" {
		from += " " + s.PictureOrigin
	}
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src " + from + "; connect-src 'self'; " +
		"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
}

// maxForm bounds the body of a form, in bytes. The largest of ours names many tasks beside a few
// short fields.
const maxForm = 4<<10 + maxLooked*lookedBytes

// Guard refuses, with a page, what nothing should see that people look at in browsers
// without a login: hosts that are not ours, and changes that another site's page asks for.
func (s *Site) Guard(next http.Handler) http.Handler {
	sameSite := http.NewCrossOriginProtection()
	sameSite.SetDenyHandler(s.page(func(*http.Request) (answer, error) { return nil, errCrossSite }))
	protected := sameSite.Handler(next)
	misdirected := s.page(func(*http.Request) (answer, error) { return nil, errHost })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.answersTo(r.Host) {
			misdirected.ServeHTTP(w, r)
			return
		}
		protected.ServeHTTP(w, r)
	})
}

func (s *Site) answersTo(host string) bool {
	if len(s.Hosts) == 0 {
		return true
	}
	name := hostName(host)
	for _, h := range s.Hosts {
		if name == hostName(h) {
			return true
		}
	}
	return false
}

// hostName is a host without port, brackets, final dot and capitals, and an
// IPv6 address in its shortest form.
func hostName(host string) string {
	name := host
	if before, _, err := net.SplitHostPort(host); err == nil {
		name = before
	} else if inner, ok := strings.CutPrefix(host, "["); ok {
		name = strings.TrimSuffix(inner, "]")
	}
	if ip, err := netip.ParseAddr(name); err == nil {
		return ip.String()
	}
	return strings.ToLower(strings.TrimSuffix(name, "."))
}

// change is page for requests that change something: with a form of bounded
// size, and not at all on a site that is read-only.
func (s *Site) change(h handler) http.Handler {
	inner := s.page(func(r *http.Request) (answer, error) {
		if s.ReadOnly {
			return nil, errReadOnly
		}
		if err := r.ParseForm(); err != nil {
			return nil, badForm(err)
		}
		defer s.all.forget()
		defer s.pending.forget()
		return h(r)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		inner.ServeHTTP(w, r)
	})
}
