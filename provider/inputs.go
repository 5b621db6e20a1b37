package provider

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/easelqueue/easel/task"
)

// maxInputURL is how many bytes the address of an input picture may have.
const maxInputURL = 8 << 10

// maxInputData is how many bytes an input picture in a data URL may have,
// whatever a service takes.
const maxInputData = 64 << 20

// InputForm is how input pictures reach a service.
type InputForm int

const (
	ByEither InputForm = iota // as a URL that it fetches, or as a data URL
	ByData                    // as a data URL: it fetches nothing
	ByURL                     // as a URL alone
	ByUpload                  // as what Uploader.Upload has returned
)

// placeholder stands for a picture that is not fetched yet where a request is
// only checked: the smallest PNG there is, of one pixel.
const placeholder = "data:image/png;base64," +
	"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mNgAAAAAgAB5Sfe/AAAAABJRU5ErkJggg=="

// uploading stands for what Uploader.Upload will return.
const uploading = "pending.png"

// SplitDataURL returns the type and the base64 content of a data URL that
// Inputs.Check has accepted. Ok is false for any other URL.
func SplitDataURL(u string) (contentType, content string, ok bool) {
	head, content, ok := strings.Cut(strings.TrimPrefix(u, "data:"), ";base64,")
	return head, content, ok && strings.HasPrefix(u, "data:")
}

// Inputs says which pictures to start from a service takes.
type Inputs struct {
	Bytes int64    // of one picture in a data URL, decoded
	Types []string // of a data URL; empty is image/png, image/jpeg and image/webp
}

// Check refuses, as Invalid, what is neither an http(s) URL nor a data URL within
// the bounds. It fetches nothing.
func (in Inputs) Check(field string, urls ...string) error {
	for i, u := range urls {
		var reason string
		if strings.HasPrefix(u, "data:") {
			reason = in.data(u)
		} else {
			reason = web(u)
		}
		if reason != "" {
			name := field
			if len(urls) > 1 {
				name = fmt.Sprintf("%s %d", field, i+1)
			}
			return &task.Failure{Kind: task.Invalid, Executed: task.NotExecuted, Message: name + " " + reason,
				Advice: task.GiveAddress}
		}
	}
	return nil
}

func (in Inputs) data(u string) string {
	types := in.Types
	if len(types) == 0 {
		types = []string{"image/png", "image/jpeg", "image/webp"}
	}
	head, content, ok := strings.Cut(strings.TrimPrefix(u, "data:"), ",")
	kind, base64ed := strings.CutSuffix(head, ";base64")
	switch {
	case !ok || !base64ed:
		return "is a data URL without base64 content"
	case !slices.Contains(types, kind):
		return fmt.Sprintf("is a data URL of type %q; accepted are %s", cut(kind, 64), strings.Join(types, ", "))
	}
	// The decoder skips line ends, which services do not.
	n, err := io.Copy(io.Discard, base64.NewDecoder(base64.StdEncoding, strings.NewReader(content)))
	switch {
	case err != nil || strings.ContainsAny(content, "\r\n"):
		return "is a data URL whose content is not base64"
	case n == 0:
		return "is a data URL without content"
	case n > in.Bytes:
		return fmt.Sprintf("is larger than the %d bytes that are accepted", in.Bytes)
	}
	return ""
}

func web(u string) string {
	if len(u) > maxInputURL {
		return fmt.Sprintf("is a URL of %d bytes; accepted are %d", len(u), maxInputURL)
	}
	parsed, err := url.Parse(u)
	if err != nil || parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.Host == "" {
		return "is no http, https or data URL"
	}
	if parsed.User != nil {
		return "holds a user name, which would be given to the provider"
	}
	return ""
}
