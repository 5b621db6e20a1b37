package provider

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// content is n bytes of no pattern.
func content(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	r.Read(b)
	return b
}

// answering is a client and the address of a service that answers so.
func answering(t *testing.T, answer func(w io.Writer)) (*Client, HTTPRequest) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		answer(w)
	}))
	t.Cleanup(s.Close)
	return &Client{HTTP: s.Client(), Temp: t.TempDir()}, HTTPRequest{Method: http.MethodPost, URL: s.URL, Body: []byte("{}")}
}

func TestLargePicturesLieInFiles(t *testing.T) {
	want := content(300_001)
	std := base64.StdEncoding.EncodeToString(want)
	lines := std
	for i := 76; i < len(lines); i += 78 {
		lines = lines[:i] + `\n` + lines[i:]
	}
	spellings := map[string]string{
		"plainly":                         std,
		"with the URLs' alphabet":         base64.RawURLEncoding.EncodeToString(want),
		"in lines":                        lines,
		"with escaped slashes":            strings.ReplaceAll(std, "/", `\/`),
		"with escaped signs":              strings.ReplaceAll(strings.ReplaceAll(std, "+", `\u002b`), "=", `\u003d`),
		"as a data URL":                   "data:image/png;base64," + std,
		"as a data URL with escapes":      `data:image\/png;base64,` + strings.ReplaceAll(std, "/", `\/`),
		"as an escaped data URL of bytes": "data:image/png," + escapedBytes(want),
	}
	for name, text := range spellings {
		t.Run("A picture written "+name+" is read", func(t *testing.T) {
			c, r := answering(t, func(w io.Writer) { io.WriteString(w, `{"a": [{"b64": "`+text+`"}, {"b64": "`+text+`"}], "b": "c\"d"}`) })
			reply, err := c.Do(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			var v struct {
				A Images `json:"a"`
				B string `json:"b"`
			}
			if err := reply.JSON(&v); err != nil || len(v.A) != 2 || v.B != `c"d` {
				t.Fatalf("got %d pictures, %q, %v", len(v.A), v.B, err)
			}
			for _, o := range reply.Outputs(v.A) {
				if o.Err != nil {
					t.Fatal(o.Err)
				}
				got, err := io.ReadAll(o.Content())
				if err != nil || sha256.Sum256(got) != sha256.Sum256(want) {
					t.Errorf("got %d bytes, %v", len(got), err)
				}
				if o.File == nil && !strings.Contains(name, "of bytes") {
					t.Error("it is in memory")
				}
				if err := o.Unfile(); err != nil || !bytes.Equal(o.Bytes, want) || o.File != nil {
					t.Errorf("for the journal: %d bytes, %v", len(o.Bytes), err)
				}
			}
			if left, _ := filepath.Glob(filepath.Join(c.Temp, "*")); len(left) > 0 {
				t.Errorf("files with names stay: %v", left)
			}
		})
	}
	t.Run("What is no base64 is said, without its kilobytes", func(t *testing.T) {
		c, r := answering(t, func(w io.Writer) { io.WriteString(w, `["`+strings.Repeat("ab!", 50_000)+`"]`) })
		reply, err := c.Do(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		var v []string
		if err := reply.JSON(&v); err != nil {
			t.Fatal(err)
		}
		if o := reply.Picture(0, v[0], ""); o.Err == nil || !strings.Contains(o.Err.Message, "no base64: 150000 characters") {
			t.Errorf("got %v", o.Err)
		}
	})
	t.Run("What comes before a wrong character is kept, whatever address stands beside it", func(t *testing.T) {
		c, r := answering(t, func(w io.Writer) {
			io.WriteString(w, `[{"b64": "`+std[:len(std)/2]+`!`+std[len(std)/2:]+`", "url": "https://cdn.example/a.png"}]`)
		})
		reply, err := c.Do(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		var v Images
		if err := reply.JSON(&v); err != nil {
			t.Fatal(err)
		}
		o := reply.Outputs(v)[0]
		if o.Err != nil || o.File == nil || o.URL != "" {
			t.Fatalf("got %+v", o)
		}
		if got, err := io.ReadAll(o.Content()); err != nil || len(got) < len(want)/2-3 || !bytes.HasPrefix(want, got) {
			t.Errorf("got %d bytes, %v", len(got), err)
		}
	})
	t.Run("Where no file can be written it is held in memory", func(t *testing.T) {
		c, r := answering(t, func(w io.Writer) { io.WriteString(w, `["`+std+`"]`) })
		c.Temp = filepath.Join(c.Temp, "nowhere")
		reply, err := c.Do(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		var v []string
		if err := reply.JSON(&v); err != nil {
			t.Fatal(err)
		}
		o := reply.Picture(0, v[0], "")
		if got, err := io.ReadAll(o.Content()); err != nil || !bytes.Equal(got, want) {
			t.Errorf("got %d bytes, %v", len(got), err)
		}
	})
	t.Run("A mark that the service wrote itself stands for nothing", func(t *testing.T) {
		o := Reply{parts: &parts{}}.Picture(0, markBegins+"7"+markEnds, "")
		if o.Err == nil {
			t.Error("it was taken for a picture")
		}
	})
}

func TestAnAddressHasABound(t *testing.T) {
	for size, accepted := range map[int]bool{maxAddress: true, maxAddress + 1: false, 3 << 20: false} {
		c, r := answering(t, func(w io.Writer) {
			io.WriteString(w, `{"url":"https://h.test/`+strings.Repeat("a", size-len("https://h.test/"))+`"}`)
		})
		reply, err := c.Do(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		var v struct{ URL string }
		if err := reply.JSON(&v); err != nil {
			t.Fatal(err)
		}
		switch o := reply.Link(0, v.URL); {
		case accepted && (o.Err != nil || len(o.URL) != size):
			t.Errorf("%d bytes: %v", size, o.Err)
		case !accepted && (o.URL != "" || o.Err == nil || !strings.Contains(o.Err.Message, "the url of picture 1 of the provider's answer has "+strconv.Itoa(size)+" bytes; accepted are up to 8192")):
			t.Errorf("%d bytes: %v", size, o.Err)
		}
	}
}

func TestFiledPicturesAreNotLost(t *testing.T) {
	want := content(300_001)
	c, r := answering(t, func(w io.Writer) { io.WriteString(w, `["`+base64.StdEncoding.EncodeToString(want)+`"]`) })
	ctx, end := context.WithCancel(t.Context())
	reply, err := c.Do(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	end()
	var v []string
	if err := reply.JSON(&v); err != nil {
		t.Fatal(err)
	}
	o := reply.Picture(0, v[0], "")
	if o.File == nil {
		t.Fatalf("got no file and %v after the call had ended", o.Err)
	}
	t.Run("A picture in a file is journalled with its bytes", func(t *testing.T) {
		text, err := json.Marshal([]Output{o})
		var back []Output
		if err != nil || json.Unmarshal(text, &back) != nil || !bytes.Equal(back[0].Bytes, want) {
			t.Errorf("got %d bytes of JSON, %v", len(text), err)
		}
		if o.File == nil || o.Bytes != nil {
			t.Error("the output itself has changed")
		}
	})
	t.Run("One that lies in storage is journalled with its key alone", func(t *testing.T) {
		stored := o
		stored.Key = "1/1-0.png"
		if text, err := json.Marshal(stored); err != nil || len(text) > 100 {
			t.Errorf("got %d bytes of JSON, %v", len(text), err)
		}
	})
	t.Run("One that cannot be read back is not journalled", func(t *testing.T) {
		o.File.Close()
		if text, err := json.Marshal(o); err == nil {
			t.Errorf("got %d bytes of JSON", len(text))
		}
		if err := o.Unfile(); err == nil || o.File == nil {
			t.Errorf("got %v", err)
		}
	})
}

func escapedBytes(b []byte) string {
	var s strings.Builder
	for _, c := range b {
		s.WriteString("%" + strconv.FormatUint(uint64(c)+256, 16)[1:])
	}
	return s.String()
}

func FuzzSieve(f *testing.F) {
	long := strings.Repeat("abcd", longText/4)
	for _, text := range []string{`{"a":"b"}`, `"` + long + `"`, `"` + long + `\/\u0041` + long + `"`, `["` + long + `","` + long + `"]`, `"` + strings.Repeat(`\\`, longText) + `"`, `"` + long} {
		f.Add([]byte(text), 1000)
		f.Add([]byte(text), 7)
	}
	f.Fuzz(func(t *testing.T, data []byte, step int) {
		step = max(step, 1)
		s := &sieve{parts: parts{folder: filepath.Join(os.TempDir(), "none")}}
		for rest := data; len(rest) > 0; {
			n := min(step, len(rest))
			s.Write(rest[:n])
			rest = rest[n:]
		}
		kept := s.kept.Bytes()
		if bytes.Contains(data, []byte(markBegins)) {
			return
		}
		whole := bytes.Clone(kept)
		from := int64(0)
		for i, end := range s.parts.ends {
			part := make([]byte, end-from)
			s.parts.file.ReadAt(part, from)
			from = end
			whole = bytes.Replace(whole, []byte(markBegins+strconv.Itoa(i)+markEnds), part, 1)
		}
		if !bytes.Equal(whole, data) {
			t.Fatalf("%d bytes came in, %d are left", len(data), len(whole))
		}
		if json.Valid(data) && !json.Valid(kept) {
			t.Fatal("what is kept is no JSON any more")
		}
	})
}
