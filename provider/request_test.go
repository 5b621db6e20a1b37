package provider_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

func TestSettings(t *testing.T) {
	t.Run("Values are read as their types", func(t *testing.T) {
		s := provider.Settings{Given: map[string]string{"text": "é", "enum": "b", "int": "3", "yes": "True", "no": "0"}}
		if s.Text("text", 1) != "é" || s.Enum("enum", "a", "b") != "b" || *s.Int("int", 3, 3) != 3 ||
			!*s.Bool("yes") || *s.Bool("no") {
			t.Error("a value was misread")
		}
		if s.Text("t2", 1) != "" || s.Enum("e2", "a") != "" || s.Int("i2", 0, 1) != nil || s.Bool("b2") != nil {
			t.Error("a value that is not given is not zero")
		}
		if err := s.Err(); err != nil {
			t.Error(err)
		}
	})
	t.Run("All mistakes are told at once, with what is accepted", func(t *testing.T) {
		s := provider.Settings{Given: map[string]string{"text": "ab", "empty": "", "enum": "c", "low": "-1", "high": "9", "word": "x", "bool": "yes", "other": "1"}}
		s.Text("text", 1)
		s.Text("empty", 1)
		s.Enum("enum", "a", "b")
		s.Int("low", 0, 8)
		s.Int("high", 0, 8)
		s.Int("word", 0, 8)
		s.Bool("bool")
		f := failure(t, s.Err(), task.Invalid, task.NotExecuted)
		for _, want := range []string{`text is "ab"; accepted: 1 to 1 characters`, `empty is ""`, `enum is "c"; accepted: a, b`, `low is "-1"; accepted: a whole number from 0 to 8`,
			`high is "9"`, `word is "x"`, `bool is "yes"; accepted: true, false`, `"other" is not known`} {
			if !strings.Contains(f.Message, want) {
				t.Errorf("%q lacks %q", f.Message, want)
			}
		}
		if f.Advice != task.UseParameters || f.About != "bool, empty, enum, high, low, text, word" {
			t.Errorf("it advises %s about %q", f.Advice, f.About)
		}
	})
	t.Run("Ten thousand unknown names do not make a long message", func(t *testing.T) {
		s := provider.Settings{Given: map[string]string{}}
		for i := range 10_000 {
			s.Given[strings.Repeat("n", i)] = ""
		}
		if f := failure(t, s.Err(), task.Invalid, task.NotExecuted); len(f.Message) > 2048 {
			t.Errorf("%d bytes", len(f.Message))
		}
	})
}

func TestParseSize(t *testing.T) {
	for text, want := range map[string]provider.Size{"1024x1536": {W: 1024, H: 1536}, "1X2": {W: 1, H: 2}, "1×2": {W: 1, H: 2}, "1*2": {W: 1, H: 2}, "65535x1": {W: 65535, H: 1}} {
		if got, ok := provider.ParseSize(text); !ok || got != want {
			t.Errorf("%q: %v, %t", text, got, ok)
		}
	}
	for _, text := range []string{"", "x", "1x", "x1", "1", "0x1", "1x0", "-1x1", "1x+1", "1x1x1", "65536x1", "99999999999999999999x1", "1 x 1", "１x1", "2K", "16:9"} {
		if got, ok := provider.ParseSize(text); ok {
			t.Errorf("%q is read as %v", text, got)
		}
	}
	if s := (provider.Size{W: 10, H: 31}); s.Within(3) || !s.Within(4) || s.Pixels() != 310 || s.String() != "10x31" {
		t.Errorf("%v misjudges itself", s)
	}
}

func TestInputs(t *testing.T) {
	in := provider.Inputs{Bytes: 9}
	encode := func(n int) string { return base64.StdEncoding.EncodeToString(make([]byte, n)) }
	for _, u := range []string{"http://h.test/1.png", "https://h.test/1?a=%2F&b", "data:image/png;base64," + encode(9), "data:image/jpeg;base64," + encode(8), "data:image/webp;base64," + encode(7)} {
		if err := in.Check("input", u); err != nil {
			t.Errorf("%q: %v", u, err)
		}
	}
	for claim, u := range map[string]string{
		"An empty address": "", "A path": "/etc/passwd", "A file": "file:///etc/passwd", "No host": "https:///x", "A user name": "https://u:p@h.test/",
		"A long URL":                 "https://h.test/" + strings.Repeat("a", 8<<10),
		"A byte too many":            "data:image/png;base64," + encode(10),
		"Many bytes too many":        "data:image/png;base64," + encode(1<<20),
		"Another type":               "data:image/svg+xml;base64," + encode(3),
		"A type in capitals":         "data:image/PNG;base64," + encode(3),
		"No base64":                  "data:image/png," + encode(3),
		"Broken base64":              "data:image/png;base64,A",
		"Letters that are no base64": "data:image/png;base64,!!!!",
		"Line ends":                  "data:image/png;base64,AA\nAA",
		"No content":                 "data:image/png;base64,",
		"No comma":                   "data:image/png;base64",
	} {
		t.Run(claim+" is refused", func(t *testing.T) {
			f := failure(t, in.Check("input", u), task.Invalid, task.NotExecuted)
			if f != nil && len(f.Message) > 300 {
				t.Errorf("the message repeats the input: %d bytes", len(f.Message))
			}
		})
	}
	if f := failure(t, in.Check("input", "https://h.test", "x"), task.Invalid, task.NotExecuted); !strings.HasPrefix(f.Message, "input 2 ") {
		t.Errorf("the wrong one is not named: %v", f)
	}
}

func TestNewCall(t *testing.T) {
	a, err := provider.NewCall("/draw", "m", map[string]any{"url": "https://h.test/?a=1&b=<2>"})
	if err != nil || string(a.Body) != `{"url":"https://h.test/?a=1&b=<2>"}` || a.Endpoint != "/draw" || a.Model != "m" {
		t.Fatalf("%s, %v", a.Body, err)
	}
	if len(a.Hash) != 64 || a.Hash != provider.HashCall("/draw", a.Body) || a.Hash == provider.HashCall("/edit", a.Body) || a.Hash == provider.HashCall("/draw", nil) {
		t.Errorf("the hash %s does not tell calls apart", a.Hash)
	}
	_, err = provider.NewCall("/draw", "m", func() {})
	failure(t, err, task.Internal, task.NotExecuted)
}

func TestBaseURL(t *testing.T) {
	for given, want := range map[string]string{"": "https://d.test/v1", "http://h.test:8188/": "http://h.test:8188", "https://h.test/api/v3//": "https://h.test/api/v3"} {
		if got, err := provider.BaseURL(given, "https://d.test/v1/"); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", given, got, err, want)
		}
	}
	for _, bad := range []string{"h.test", "ftp://h.test", "https://", "https://u:SECRET@h.test", "https://h.test?key=SECRET", "https://h.test#SECRET", "https://h.test/%zz?SECRET"} {
		if got, err := provider.BaseURL(bad, ""); err == nil || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%q: %q, %v", bad, got, err)
		}
	}
}
