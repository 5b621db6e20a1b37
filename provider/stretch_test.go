package provider_test

import (
	"encoding/base64"
	"encoding/json"
	"html"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/easelqueue/easel/provider"
)

// keys have the forms that services give theirs.
var keys = []string{
	"sk-7Tq+Rz/wB4mKx9=Vn2LpYc8JhGd5Fs3Ea6", "sk-proj-Zk3v9QpL7xYw2RtN8mBc4HdJ6fGs1AaE5uTq0OiXbVeCrDyUhPn",
	"0f3c9a51-7d2e-4b86-a1f4-93c6d8e5b702:4be1d07c92f3a6587be0d1c4f29a3e68", "sk-4be1d07c92f3a6587be0d1c4f29a3e68", "r8_Qw4Er7Ty2Ui9Op1As5Df8Gh3Jk6Zx0Cv",
}

// changes are what services do to a key that they repeat, and how much of it may be seen.
var changes = map[string]func(string) string{
	"its + read as a space":        func(k string) string { return strings.ReplaceAll(k, "+", " ") },
	"in capitals":                  strings.ToUpper,
	"in small letters":             strings.ToLower,
	"without its first character":  func(k string) string { return k[1:] },
	"without its last character":   func(k string) string { return k[:len(k)-1] },
	"without three at either end":  func(k string) string { return k[3 : len(k)-3] },
	"without one in its middle":    func(k string) string { return k[:len(k)/2] + k[len(k)/2+1:] },
	"without four in its middle":   func(k string) string { return k[:len(k)/2-2] + k[len(k)/2+2:] },
	"with a wrong one in it":       func(k string) string { return k[:len(k)/2] + "~" + k[len(k)/2+1:] },
	"with dots in its middle":      func(k string) string { return k[:len(k)/2-2] + "...." + k[len(k)/2+2:] },
	"in small letters and cut":     func(k string) string { return strings.ToLower(k[2:]) },
	"cut, over lines":              func(k string) string { return k[2:9] + "\n" + k[9:] },
	"cut, in base64":               func(k string) string { return base64.StdEncoding.EncodeToString([]byte(k[:len(k)-6])) },
	"cut, in a header's base64":    func(k string) string { return base64.StdEncoding.EncodeToString([]byte("me:" + k[:len(k)-6])) },
	"its + read as a space, twice": func(k string) string { return url.QueryEscape(strings.ReplaceAll(k, "+", " ")) },
}

func TestAKeyThatAServiceHasChangedIsHidden(t *testing.T) {
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			for _, key := range keys {
				changed := change(key)
				quoted, _ := json.Marshal(changed)
				for _, text := range []string{changed, string(quoted), url.QueryEscape(changed), url.PathEscape(changed), html.EscapeString(changed),
					url.QueryEscape(strings.Trim(string(quoted), `"`)), strings.ReplaceAll(changed, "-", "&#45;")} {
					around := "Incorrect API key provided: (" + text + "). You can find it at https://h.test/keys"
					got := provider.Scrub(around, key)
					shown := strings.TrimSuffix(strings.TrimPrefix(got, "Incorrect API key provided: ("), "). You can find it at https://h.test/keys")
					rest := strings.NewReplacer("%3D", "", "%22", "", "&#34;", "").Replace(shown)
					if rest = strings.Trim(rest, `*~.="`); rest != "" || shown == text {
						t.Errorf("%q is shown as %q", text, got)
					}
				}
			}
		})
	}
	t.Run("in what is kept of an answer", func(t *testing.T) {
		for _, key := range keys {
			raw := provider.ScrubJSON(json.RawMessage(`{"`+strings.ToUpper(key)+`":["a","no key \"`+key[2:]+`\"\n"],"n":1}`), provider.Secret(key))
			if got := string(raw); got != `{"***":["a","no key \"***\"\n"],"n":1}` {
				t.Errorf("got %s", got)
			}
		}
	})
}

func TestShortKeysAreHiddenInOtherLetters(t *testing.T) {
	for text, want := range map[string]string{"R8_TEST is wrong": "*** is wrong", "the key HUNTER2! is wrong": "the key ***! is wrong", "no ABCDEFGH, no ABCDEF": "no ***, no ABCDEF", "AB1": "AB1", "Zr9Kd8Lm2Q": "***",
		`no key:\nzr9kd8lm2qx4\n`: `no key:\n***\n`, "xyZR9KD8LM2QX4z.": "***."} {
		if got := provider.Scrub(text, "r8_test", "Hunter2", "abcdefgh", "ab1", "Zr9Kd8Lm2Qx4"); got != want {
			t.Errorf("%q is shown as %q; want %q", text, got, want)
		}
	}
}

func TestWhatServicesShowOfAKeyStays(t *testing.T) {
	texts := []string{"Incorrect API key provided: sk-7Tq+R****s3Ea6. You can find it", "keys begin with sk-proj- or r8_", "sk-4be1...3e68", "the key 0f3c9a51… is not known",
		`{"error":{"message":"Incorrect API key provided: sk-proj-*****DyUhPn.","code":"invalid_api_key"}}`}
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	for _, name := range append(pages, "../README.md", "../ARCHITECTURE.md", "../README.zh.md", "../deploy/RUNBOOK.md") {
		page, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(string(page), "\n") {
			if plain := strings.TrimSpace(line); provider.Scrub(plain) == plain {
				texts = append(texts, plain)
			}
		}
	}
	if len(texts) < 500 {
		t.Fatalf("%d texts are too few", len(texts))
	}
	for _, text := range texts {
		if got := provider.Scrub(text, keys...); got != text {
			t.Errorf("%q is shown as %q", text, got)
		}
	}
}

// Texts that almost hold a secret at every place are the slowest.
func TestHidingStretchesTakesNoLongerThanItsText(t *testing.T) {
	secrets := append([]string{strings.Repeat("a", 30) + "b", strings.Repeat("ab", 15)}, keys...)
	for _, piece := range []string{"a", "ab", keys[1][:11] + " ", keys[1][:19] + "!", strings.ToUpper(keys[1]), "\u200b"} {
		raw, _ := json.Marshal(strings.Repeat(piece, (1<<20)/len(piece)))
		began := time.Now()
		var secret []provider.Secret
		for _, s := range secrets {
			secret = append(secret, provider.Secret(s))
		}
		provider.ScrubJSON(raw, secret...)
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("1 MB of %q took %s", piece, took)
		} else {
			t.Logf("%q %s", piece, took)
		}
	}
}
