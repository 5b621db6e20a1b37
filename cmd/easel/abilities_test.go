package main

import (
	"slices"
	"strings"
	"testing"
)

func TestProvidersCommand(t *testing.T) {
	d := newShell(t)
	d.env = []string{"ARK_API_KEY=the-ark-key", "REPLICATE_API_TOKEN=the-replicate-token"}
	t.Run("It shows who is configured, and what would configure the others", func(t *testing.T) {
		d.easel("providers").wants(t, 0, "sketch", "doubao-seedream-4-0-250828", "polled, can be cancelled, can call back", "set GEMINI_API_KEY", "name it in easel.yaml")
		var list providerList
		d.must(&list, "providers")
		all := make([]string, 0, len(adapterNames()))
		for _, p := range list.Providers {
			all = append(all, p.Name)
			if p.Can.ImagesPerCall < 1 || p.Can.Size == "" || len(p.Accounts) == 0 {
				t.Errorf("%s says %+v", p.Name, p)
			}
		}
		if want := []string{"replicate", "sketch", "volcengine"}; !slices.Equal(all, want) {
			t.Errorf("configured are %q, want %q", all, want)
		}
		for _, o := range list.Others {
			all = append(all, o.Name)
		}
		slices.Sort(all)
		if !slices.Equal(all, adapterNames()) {
			t.Errorf("%q are shown, want %q", all, adapterNames())
		}
	})
	t.Run("One provider is shown whole, for the model that is asked for", func(t *testing.T) {
		d.easel("providers", "volcengine").wants(t, 0, "1K, 2K, 4K", "watermark", "answered at once", "https://ark.cn-beijing.volces.com/api/v3")
		d.easel("providers", "volcengine", "--model", "doubao-seededit-3-0-i2i").wants(t, 0, "seed, cfg_scale, watermark", "1 in one call")
	})
	t.Run("What a provider could do that is not configured is shown as well", func(t *testing.T) {
		for _, name := range adapterNames() {
			d.easel("providers", name).wants(t, 0, "input pictures", "in one call")
		}
		d.easel("providers", "openai").wants(t, 0, "not configured", "set OPENAI_API_KEY", "quality")
		d.easel("providers", "stability", "--model", "core").wants(t, 0, "not configured", "negative_prompt, seed, style")
	})
	t.Run("It says what happens to calls that bring no picture", func(t *testing.T) {
		d.easel("providers", "volcengine").wants(t, 0, "at most 2 times (server_errors: 2)", "(on_unknown: hold)")
		d.easel("providers", "sketch").wants(t, 0, "(on_unknown: retry)")
	})
	t.Run("No key is shown", func(t *testing.T) {
		for _, args := range [][]string{{"providers"}, {"providers", "--json"}, {"providers", "volcengine"}} {
			if got := d.easel(args...); strings.Contains(got.out+got.errors, "the-ark-key") {
				t.Errorf("%q shows a key", args)
			}
		}
	})
	for claim, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"A provider that is not configured says how it would be": {[]string{"gemini"}, 0, "set GEMINI_API_KEY"},
		"A slip of the finger is corrected":                      {[]string{"volcengin"}, 2, "did you mean volcengine?"},
		"An unknown provider says which there are":               {[]string{"leonardo"}, 2, "accepted are bfl, comfyui, dashscope"},
		"A model needs its provider":                             {[]string{"--model", "m"}, 2, "--model needs the NAME"},
	} {
		t.Run(claim, func(t *testing.T) { d.easel(append([]string{"providers"}, c.args...)...).wants(t, c.code, c.says) })
	}
}
