package provider_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

func TestWhatCannotBeReadIsNotedAndNotFatal(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"created":"soon","model":7,"name":"kept"}`)
	}))
	defer server.Close()
	r, err := (&provider.Client{}).Do(t.Context(), provider.HTTPRequest{Method: http.MethodGet, URL: server.URL, Free: true})
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		Created int64 `json:"created"`
		Model   provider.Text
		Name    string
	}
	if err := r.JSON(&v); err != nil || v.Name != "kept" || v.Model != "7" {
		t.Errorf("%+v, %v", v, err)
	}
	a, err := r.Done([]provider.Output{{URL: "https://h.test/1.png"}}, nil)
	if err != nil || len(a.Notes) != 1 || !strings.Contains(a.Notes[0], "created is a string") {
		t.Errorf("notes %q, %v", a.Notes, err)
	}
	if _, err := r.Done(nil, nil); !strings.Contains(task.AsFailure(err).Detail, "created is a string") {
		t.Errorf("the refusal does not name the field: %v", err)
	}
}

func TestARefusalShowsNoKilobytesOfBase64(t *testing.T) {
	long := strings.Repeat("iVBORw0KGgoAAAA", 4000)
	for _, body := range []string{`{"pixels":"` + long + `"}`, `{"pixels":"` + long, `{"pixels":"data:image/png;base64,` + long + `"}`} {
		r := provider.Reply{Status: 200, Body: []byte(body)}
		_, err := r.Done(nil, nil)
		if f := task.AsFailure(err); f == nil || len(f.Detail) > 200 || !strings.Contains(f.Detail, "pixels") {
			t.Errorf("%.40s: %v", body, err)
		}
	}
	r := provider.Reply{Status: 200}
	if o := r.Picture(0, "%%"+long, ""); o.Err == nil || len(o.Err.Error()) > 200 || !strings.Contains(o.Err.Message, "60002 characters") {
		t.Errorf("%v", o.Err)
	}
}

func TestBase64WithAWrongCharacter(t *testing.T) {
	content := bytes.Repeat([]byte("pixels"), 50)
	text := base64.StdEncoding.EncodeToString(content)
	for _, c := range []struct {
		claim, content, url string
		bytes               []byte
		address             string
	}{
		{"At its end", text + "*", "", content, ""},
		{"In its middle", text[:200] + "*" + text[201:], "", content[:150], ""},
		{"At its beginning", "*" + text, "", nil, ""},
		{"With the picture's address beside it", text[:200] + "*", "https://cdn.test/1.png", nil, "https://cdn.test/1.png"},
	} {
		t.Run(c.claim, func(t *testing.T) {
			o := provider.Reply{Status: 200}.Output(0, provider.Image{Content: []byte(c.content), URL: c.url})
			if !bytes.Equal(o.Bytes, c.bytes) || o.URL != c.address || (o.Err == nil) != (len(c.bytes) > 0 || c.address != "") {
				t.Errorf("%d bytes, %q, %v", len(o.Bytes), o.URL, o.Err)
			}
		})
	}
}

func TestNumbersOfAnotherType(t *testing.T) {
	for text, want := range map[string]struct {
		whole, count int64
		isWhole, ok  bool
	}{
		`12`: {12, 12, true, true}, `"12"`: {12, 12, true, true}, `12.0`: {12, 12, true, true}, `12.2`: {0, 13, false, true}, `"1e3"`: {1000, 1000, true, true},
		`9007199254740993`: {9007199254740993, 1_000_000_000_000_000, true, true}, `null`: {}, `true`: {}, `{}`: {}, `[1]`: {}, `"a"`: {}, `"Inf"`: {}, `"NaN"`: {}, `""`: {},
	} {
		var n provider.Number
		if err := json.Unmarshal([]byte(text), &n); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		whole, isWhole := n.Int()
		count, ok := n.Count()
		if whole != want.whole || isWhole != want.isWhole || count != want.count || ok != want.ok {
			t.Errorf("%s is %d (%t), counts %d (%t)", text, whole, isWhole, count, ok)
		}
	}
}

func TestAnAddressIsEscapedOnlyWhereItMust(t *testing.T) {
	for path, want := range map[string]string{
		"/a%2Fb.png?X=a%2Fb%3D+c%20d&&y": "/a%2Fb.png?X=a%2Fb%3D+c%20d&&y",
		"/50%/雪 1.png?q=风 筝":             "/50%25/%E9%9B%AA%201.png?q=%E9%A3%8E%20%E7%AD%9D",
		"/a%2Fb c.png":                   "/a%2Fb%20c.png",
		"/a%zz|b":                        "/a%25zz%7Cb",
	} {
		var got string
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { got = r.RequestURI }))
		d, err := (&provider.Client{}).Fetch(t.Context(), server.URL+path, nil, 100)
		if err != nil {
			t.Errorf("%s: %v", path, err)
		} else {
			d.Close()
		}
		server.Close()
		if got != want {
			t.Errorf("%s was asked for as %s, want %s", path, got, want)
		}
	}
}

func FuzzImages(f *testing.F) {
	f.Add([]byte(`[{"url":["a",null]},{"b64_json":"QQ=="},null,7,"data:;base64,QQ"]`))
	f.Add([]byte(strings.Repeat(`{"url":`, 40) + `""` + strings.Repeat("}", 40)))
	f.Add([]byte("data: {}\n\n: x\n[1,2"))
	f.Fuzz(func(t *testing.T, body []byte) {
		r := provider.Reply{Status: 200, Body: body}
		for _, document := range r.Documents() {
			var all provider.Images
			if err := json.Unmarshal(document, &all); err != nil || len(all) > 128 {
				t.Fatalf("%d, %v", len(all), err)
			}
			for _, o := range r.Outputs(all) {
				if (o.Err == nil) == (o.URL == "" && len(o.Bytes) == 0) {
					t.Fatalf("%+v", o)
				}
			}
		}
	})
}
