package picture

import (
	"errors"
	"fmt"
	"net/http"
	"path"
	"strings"
	"time"
)

// Handler serves the pictures of a Store to GET and HEAD, with ranges. The path
// is the key; mount it behind http.StripPrefix. It serves nothing but pictures,
// and in such a way that no browser runs anything that is hidden in one: what browsers
// do not show, and bytes that nobody knows, are downloaded. A
// picture never changes under its key, so browsers may keep it for ever;
// shared caches may not, since whoever mounts it may ask who is reading.
type Handler struct {
	Store Store
	// Lend, if it is not zero, sends readers to the store itself, by an address that
	// lives so long. The Store must be a Lender.
	Lend time.Duration
	// OnError is told why a picture that may exist could not be served; the
	// reader is not. It may be nil.
	OnError func(r *http.Request, err error)
}

// VersionParameter is what an address has in its query that names one content for ever. Without it
// browsers ask again after ten minutes: another database's picture may have the same key.
const VersionParameter = "v"

func (h Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Security-Policy", "sandbox; default-src 'none'")
	w.Header().Set("Cache-Control", "no-store")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "Pictures can only be read.", http.StatusMethodNotAllowed)
		return
	}
	key := strings.TrimPrefix(r.URL.Path, "/")
	f, ok := kindOf(key)
	if !ok {
		h.notFound(w)
		return
	}
	if lender, ok := h.Store.(Lender); ok && h.Lend > 0 && r.Method == http.MethodGet && !strings.Contains(key, previewMark) {
		h.lend(w, r, lender, key)
		return
	}
	file, err := h.Store.Open(r.Context(), key)
	if small := strings.Replace(key, previewMark, thumbnailMark, 1); errors.Is(err, ErrNotFound) && small != key {
		file, err = h.Store.Open(r.Context(), small) // pictures of former releases have no preview
	}
	switch {
	case errors.Is(err, ErrNotFound), errors.Is(err, ErrBadKey):
		h.notFound(w)
		return
	case err != nil:
		h.fault(w, r, err)
		return
	}
	defer file.Close()
	w.Header().Set("Content-Type", f.contentType)
	if !f.inline {
		w.Header().Set("Content-Disposition", "attachment")
	}
	w.Header().Set("Cache-Control", "private, max-age=600")
	if r.URL.Query().Get(VersionParameter) != "" {
		w.Header().Set("Cache-Control", "private, max-age=31536000, immutable")
	}
	http.ServeContent(w, r, "", time.Time{}, file)
}

// lend redirects to the store. A browser asks again long before the address is over.
func (h Handler) lend(w http.ResponseWriter, r *http.Request, lender Lender, key string) {
	address, err := lender.Presign(r.Context(), key, h.Lend)
	switch {
	case errors.Is(err, ErrBadKey):
		h.notFound(w)
	case err != nil:
		h.fault(w, r, err)
	default:
		w.Header().Set("Cache-Control", fmt.Sprintf("private, max-age=%d", int(h.Lend.Seconds()/2)))
		http.Redirect(w, r, address, http.StatusFound)
	}
}

func (h Handler) fault(w http.ResponseWriter, r *http.Request, err error) {
	if h.OnError != nil {
		h.OnError(r, err)
	}
	http.Error(w, "The picture cannot be read right now.", http.StatusInternalServerError)
}

func (Handler) notFound(w http.ResponseWriter) {
	http.Error(w, "There is no picture here.", http.StatusNotFound)
}

// kind is what the extension of a key says of its picture.
type kind struct {
	contentType string
	inline      bool // browsers show it
}

// kinds are those that package codec knows, by extension, and bytes of which nobody
// knows more.
var kinds = map[string]kind{
	"png":  {"image/png", true},
	"jpg":  {"image/jpeg", true},
	"jpeg": {"image/jpeg", true},
	"webp": {"image/webp", true},
	"gif":  {"image/gif", true},
	"avif": {"image/avif", true},
	"heic": {"image/heic", false},
	"jxl":  {"image/jxl", false},
	"bin":  {"application/octet-stream", false},
}

// kindOf returns what the key's extension stands for, if easel stores such.
func kindOf(key string) (kind, bool) {
	k, ok := kinds[strings.TrimPrefix(strings.ToLower(path.Ext(key)), ".")]
	return k, ok
}

// ContentType is the type of the picture of that key; empty if easel stores no such.
func ContentType(key string) string {
	k, _ := kindOf(key)
	return k.contentType
}

// Shows reports whether browsers show the picture of that key; others they download.
func Shows(key string) bool {
	k, ok := kindOf(key)
	return ok && k.inline
}
