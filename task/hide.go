package task

import (
	"encoding/json"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Whoever may look at a task need not be able to fetch from its provider. The
// rows keep whole addresses; what people and programs are shown does not.

// HideSignature takes off SourceURL its query, which is what signs such addresses.
func (r *Result) HideSignature() { r.SourceURL = unsigned(r.SourceURL) }

// HideSignatures takes the queries off the addresses in Answer, and leaves out
// the pictures in it. An answer that cannot be read is left out altogether.
func (a *Attempt) HideSignatures() {
	if a.Answer == "" {
		return
	}
	var whole map[string]json.RawMessage
	var outputs []map[string]json.RawMessage // a seed of 64 bits stays as it is written
	if json.Unmarshal([]byte(a.Answer), &whole) != nil || json.Unmarshal(whole["outputs"], &outputs) != nil {
		a.Answer = ""
		return
	}
	for _, o := range outputs {
		delete(o, "bytes")
		var address string
		if json.Unmarshal(o["url"], &address) != nil || !strings.Contains(address, "?") {
			continue
		}
		cut, err := json.Marshal(unsigned(address))
		if err != nil {
			cut = nil // of a string: cannot fail
		}
		o["url"] = cut
	}
	shown, err := json.Marshal(outputs)
	if err != nil {
		a.Answer = ""
		return
	}
	whole["outputs"] = shown
	text, err := json.Marshal(whole)
	if err != nil {
		text = nil
	}
	a.Answer = string(text)
}

func unsigned(address string) string {
	address, _, _ = strings.Cut(address, "?")
	return address
}

const hiddenText = "***"

// nestedUser is a user name with its password inside a text, in whichever spelling of ://.
var nestedUser = regexp.MustCompile(`(?i)((?::|%3a)(?:[\\/]|%2f){2,})[^\s"'<>/?#\\]+(@|%40)`)

// HideUsers takes user names and passwords out of the addresses that the task names. A
// worker refuses such addresses, and who reads the task need not see what is in them.
func (t *Task) HideUsers() {
	t.InputImageURL, t.PhotoURL, t.WebhookURL = WithoutUser(t.InputImageURL), WithoutUser(t.PhotoURL), WithoutUser(t.WebhookURL)
	var references []string
	if json.Unmarshal([]byte(t.ReferenceImages), &references) != nil {
		t.ReferenceImages = WithoutUser(t.ReferenceImages)
	} else if shown := each(references, WithoutUser); !slices.Equal(shown, references) {
		text, err := json.Marshal(shown)
		if err != nil {
			text = nil // of strings: cannot fail
		}
		t.ReferenceImages = string(text)
	}
	t.Metadata = nestedUser.ReplaceAllString(t.Metadata, "${1}"+hiddenText+"${2}")
	t.Parameters = maps.Clone(t.Parameters)
	for name, value := range t.Parameters {
		t.Parameters[name] = nestedUser.ReplaceAllString(value, "${1}"+hiddenText+"${2}")
	}
}

// address is a text that begins as one, in whichever spelling of ://.
var address = regexp.MustCompile(`(?i)^\s*[a-z][a-z0-9+.-]*(?::|%3a)(?:[\\/]|%2f)`)

// Quotable is what can be said in an error of a value that a row gives: an address
// without its user, password and query, any other text as it is. It comes before the text is
// cut short, for what is cut may have lost its @.
func Quotable(value string) string {
	if address.MatchString(value) {
		return unsigned(WithoutUser(value))
	}
	return nestedUser.ReplaceAllString(value, "${1}"+hiddenText+"${2}")
}

// WithoutUser is an address without a user name and password. Of what is no address that can
// be fetched, all before the last @ may be one.
func WithoutUser(address string) string {
	at := strings.LastIndexByte(address, '@')
	if at < 0 || strings.HasPrefix(address, "data:") {
		return nestedUser.ReplaceAllString(address, "${1}"+hiddenText+"${2}")
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		scheme := ""
		if i := strings.IndexAny(address, `/\`); i >= 0 && i < at {
			scheme = address[:i] + "//"
		}
		if strings.Contains(scheme, "@") || strings.Count(scheme, ":") > 1 {
			scheme = ""
		}
		return scheme + hiddenText + address[at:]
	}
	return nestedUser.ReplaceAllString(address, "${1}"+hiddenText+"${2}")
}

func each(list []string, change func(string) string) []string {
	changed := make([]string, len(list))
	for i, text := range list {
		changed[i] = change(text)
	}
	return changed
}
