package provider_test

import (
	"bytes"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/provider/providertest"
	"github.com/easelqueue/easel/task"
)

func TestAskGivesTheKeyToTheServiceAlone(t *testing.T) {
	s := providertest.Start(providertest.Service{Asks: map[string]providertest.Ask{"/": providertest.Said(200, "{}")}})
	defer s.Close()
	transport := provider.NewTransport()
	proxy, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	transport.Proxy = http.ProxyURL(proxy) // so that any host at all reaches the test
	defer transport.CloseIdleConnections()
	client := &provider.Client{HTTP: &http.Client{Transport: transport}}
	for _, c := range []struct {
		base, where string
		allowed     bool
	}{
		{"http://api.bfl.test/v1", "/get", true},
		{"http://api.bfl.test/v1", "http://api.bfl.test/other", true},
		{"http://api.bfl.test/v1", "http://api.eu2.bfl.test/get?id=1", true},
		{"http://api.bfl.test/v1", "http://API.EU2.BFL.TEST./get", true},
		{"http://api.bfl.test/v1", "http://evil.test/get", false},
		{"http://api.bfl.test/v1", "http://bfl.test.evil.test/get", false},
		{"http://api.bfl.test/v1", "http://evilbfl.test/get", false},
		{"http://api.bfl.test/v1", "http://api.bfl.test:81/get", false},
		{"http://api.bfl.test/v1", "http://u@api.bfl.test/get", false},
		{"http://api.bfl.test/v1", "https://api.bfl.test/get", false},
		{"https://api.bfl.test/v1", "http://api.bfl.test/get", false},
		{"http://api.bfl.test/v1", "file:///etc/passwd", false},
		{"http://10.0.0.1:7860", "http://10.0.0.1:7860/x", true},
		{"http://10.0.0.1:7860", "http://10.1.0.1:7860/x", false},
		{"http://[fd00::1]:80", "http://[fd00::2]:80/x", false},
		{"http://localhost:80", "http://localhost:80/x", true},
		{"http://localhost:80", "http://a.localhost:80/x", false},
	} {
		t.Run(c.base+" "+c.where, func(t *testing.T) {
			before := len(s.Asked())
			api := provider.API{BaseURL: c.base, Key: "k", Client: client}
			_, err := api.Ask(t.Context(), http.MethodGet, c.where, nil)
			if got := len(s.Asked()) > before; got != c.allowed || c.allowed != (err == nil) {
				t.Errorf("sent %t, %v; want %t", got, err, c.allowed)
			}
		})
	}
}

func TestAuth(t *testing.T) {
	for claim, c := range map[string]struct {
		auth        provider.Auth
		key         string
		name, value string
	}{
		"A bearer token":                   {provider.Bearer, "k", "Authorization", "Bearer k"},
		"Basic authentication":             {provider.Basic, "user:pass", "Authorization", "Basic dXNlcjpwYXNz"},
		"A header of the service's own":    {provider.HeaderAuth("x-key", ""), "k", "X-Key", "k"},
		"A word before the key":            {provider.HeaderAuth("Authorization", "Key "), "k", "Authorization", "Key k"},
		"No key where the service is open": {provider.Basic, "", "Authorization", ""},
	} {
		t.Run(claim, func(t *testing.T) {
			h := http.Header{}
			c.auth(h, c.key)
			if got := h.Get(c.name); got != c.value {
				t.Errorf("got %q; want %q", got, c.value)
			}
		})
	}
}

func TestBasicAuthenticationIsHidden(t *testing.T) {
	s := providertest.Start(providertest.Service{Asks: map[string]providertest.Ask{"/": providertest.Said(401, "dXNlcjpodW50ZXIy hunter2 user:hunter2")}})
	defer s.Close()
	api := provider.API{BaseURL: s.URL, Key: "user:hunter2", Auth: provider.Basic, Client: &provider.Client{}}
	r, err := api.Ask(t.Context(), http.MethodGet, "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if f := (provider.Faults{}).Failure(r, ""); strings.Contains(f.Error(), "hunter2") || strings.Contains(f.Error(), "dXNlcjpodW50") {
		t.Errorf("the key is shown: %v", f)
	}
}

func TestCallWith(t *testing.T) {
	for before, want := range map[string]string{
		`{"a":1}`:   `{"id":"x<&>","a":1}`,
		`{}`:        `{"id":"x<&>"}`,
		`{ "a":1 }`: `{"id":"x<&>","a":1 }`,
		`[]`:        `[]`,
		``:          ``,
	} {
		c := provider.Call{Body: []byte(before), Hash: "h"}
		if got := c.With("id", "x<&>"); string(got.Body) != want || got.Hash != "h" || string(c.Body) != before {
			t.Errorf("%s: got %s, hash %s; the call itself is %s", before, got.Body, got.Hash, c.Body)
		}
	}
}

func TestForm(t *testing.T) {
	file, err := provider.File("image", "data:image/png;base64,iVBORw0KGgo=")
	if err != nil {
		t.Fatal(err)
	}
	f := provider.Form{file}
	f.Add("prompt", "同一只猫\r\n--")
	f.Add("nothing", "")
	body, contentType := f.Encode()
	again, _ := f.Encode()
	if !bytes.Equal(body, again) {
		t.Error("the same form gives other bytes")
	}
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		t.Fatal(err)
	}
	got, err := multipart.NewReader(bytes.NewReader(body), params["boundary"]).ReadForm(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	if got.Value["prompt"][0] != "同一只猫\r\n--" || len(got.Value) != 1 || got.File["image"][0].Header.Get("Content-Type") != "image/png" || got.File["image"][0].Size != 8 {
		t.Errorf("got %+v", got)
	}
	if _, err := provider.File("image", "https://a.test/1.png"); err == nil {
		t.Error("an address is taken for a file")
	}
	call := provider.NewFormCall("/draw", "m", f)
	if call.Hash != provider.HashCall("/draw", body) || call.ContentType != contentType {
		t.Errorf("call %+v", call)
	}
}

func TestReadHandle(t *testing.T) {
	type handle struct {
		Version int    `json:"v"`
		ID      string `json:"id"`
	}
	var h handle
	if err := provider.ReadHandle(provider.WriteHandle(handle{2, "x"}), "svc", 2, &h); err != nil || h.ID != "x" {
		t.Errorf("%+v, %v", h, err)
	}
	if err := provider.ReadHandle(provider.WriteHandle(handle{3, "x"}), "svc", 2, &h); !provider.IsNewer(err) {
		t.Errorf("a later version: %v", err)
	}
	for _, raw := range []string{"", "null", "{}", `{"v":1,"id":7}`, `{"v":0}`} {
		if f := task.AsFailure(provider.ReadHandle([]byte(raw), "svc", 2, &h)); f == nil || f.Executed != task.NotExecuted || f.Kind != task.Internal {
			t.Errorf("%q: %v", raw, f)
		}
	}
}

func TestCheckOfInputsThatAreNotBroughtYet(t *testing.T) {
	for claim, c := range map[string]struct {
		form provider.InputForm
		in   string
		want string
	}{
		"An address for a service that fetches nothing": {provider.ByData, "https://a.test/1.png", "data:image/png;base64,"},
		"A picture for a service that fetches nothing":  {provider.ByData, "data:image/png;base64,iVBORw0KGgo=", "data:image/png;base64,iVBORw0KGgo="},
		"An address for a service that wants an upload": {provider.ByUpload, "https://a.test/1.png", "pending.png"},
		"An address for a service that fetches it":      {provider.ByEither, "https://a.test/1.png", "https://a.test/1.png"},
	} {
		t.Run(claim, func(t *testing.T) {
			p := &formed{form: c.form}
			services := provider.Services{"p": {Name: "p", DefaultModel: "m", Accounts: []provider.Account{{Provider: p}}}}
			if _, _, err := services.Check(&task.Task{Request: task.Request{Provider: "p", Prompt: "x", InputImageURL: c.in}}); err != nil {
				t.Fatal(err)
			}
			if len(p.got) != 1 || !strings.HasPrefix(p.got[0], c.want) {
				t.Errorf("Prepare was given %q", p.got)
			}
			_, _, err := services.Check(&task.Task{Request: task.Request{Provider: "p", Prompt: "x", InputImageURL: "file:///etc/passwd"}})
			if f := task.AsFailure(err); f == nil || f.Kind != task.Invalid {
				t.Errorf("a file: %v", err)
			}
		})
	}
}

// formed is a service that takes input pictures in one form.
type formed struct {
	provider.Provider
	form provider.InputForm
	got  []string
}

func (p *formed) Capabilities(string) provider.Capabilities {
	return provider.Capabilities{MaxImages: 1, MaxInputs: 1, Inputs: p.form}
}

func (p *formed) Prepare(r provider.Request) (provider.Call, error) {
	p.got = r.Inputs
	return provider.NewCall("/", r.Model, r.Inputs)
}

func TestPictureHeader(t *testing.T) {
	api := provider.API{BaseURL: "http://gpu.test:8188/api", Key: "the-token"}
	for address, want := range map[string]string{
		"http://gpu.test:8188/api/view?filename=a.png": "Bearer the-token",
		"http://gpu.test:8188/apis/view":               "",
		"http://gpu.test:81880/api/view":               "",
		"https://gpu.test:8188/api/view":               "",
		"http://thief.test/http://gpu.test:8188/api/":  "",
	} {
		if got := api.PictureHeader(address).Get("Authorization"); got != want {
			t.Errorf("%s gets %q, want %q", address, got, want)
		}
	}
	open := provider.API{BaseURL: "http://gpu.test:8188"}
	if got := open.PictureHeader("http://gpu.test:8188/view"); got != nil {
		t.Errorf("a service without a key gets %v", got)
	}
}
