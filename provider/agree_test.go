package provider_test

import (
	"strings"
	"testing"

	"github.com/easelqueue/easel/provider"
)

func TestAParameterMayRepeatItsRowAndNotContradictIt(t *testing.T) {
	row := provider.Request{Model: "seedream", Prompt: "a Fox", NegativePrompt: "blur", Size: "1024x768", Quality: "high", Style: "vivid", Steps: new(20),
		CFGScale: new(7.5), Seed: new(int64(12)), Watermark: new(true), Images: 4, Total: 19, Before: 5}
	for _, c := range []struct{ name, agrees, contradicts, column, said string }{
		{"prompt", "a Fox", "a fox", "prompt", "a Fox"},
		{"negative_prompt", "blur", "rain", "negative_prompt", "blur"},
		{"model", "seedream", "other", "model", "seedream"},
		{"size", "1024*768", "2K", "size", "1024x768"},
		{"image_size", "1024x768", "768x1024", "size", "1024x768"},
		{"width", "1024", "768", "size", "1024"},
		{"height", "768", "1024", "size", "768"},
		{"quality", "High", "low", "quality", "high"},
		{"style", "vivid", "natural", "style", "vivid"},
		{"seed", "7", "12", "seed", "7"}, // of the row: this call's is moved on
		{"steps", "20", "20.5", "steps", "20"},
		{"guidance_scale", "7.50", "7", "cfg_scale", "7.5"},
		{"watermark", "True", "false", "watermark", "true"},
		{"n", "19", "4", "image_count", "19"}, // of the row: this call draws a part
		{"num_images", "19", "1", "image_count", "19"},
		{"batch_size", "19", "x", "image_count", "19"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := func(value string) error {
				r := row
				r.Parameters = map[string]string{c.name: value}
				s := provider.SettingsOf(r)
				s.Bool("known")
				return s.Err()
			}
			if err := err(c.agrees); err != nil {
				t.Errorf("%q: %v", c.agrees, err)
			}
			refused := err(c.contradicts)
			for _, word := range []string{"parameter " + c.name, `"` + c.contradicts + `"`, "the row's " + c.column, `"` + c.said + `"`} {
				if refused == nil || !strings.Contains(refused.Error(), word) {
					t.Errorf("%v does not say %s", refused, word)
				}
			}
		})
	}
	t.Run("What the row does not say belongs into its column", func(t *testing.T) {
		s := provider.SettingsOf(provider.Request{Parameters: map[string]string{"seed": "7"}, Images: 1})
		if err := s.Err(); err == nil || !strings.Contains(err.Error(), "say it in the column seed") {
			t.Errorf("%v", err)
		}
	})
	t.Run("No word about a watermark or a count is none and one", func(t *testing.T) {
		s := provider.SettingsOf(provider.Request{Parameters: map[string]string{"watermark": "0", "n": "1", "response_format": "url", "stream": "false"}, Images: 1})
		if err := s.Err(); err != nil {
			t.Error(err)
		}
	})
	t.Run("How the answer travels is easel's matter", func(t *testing.T) {
		s := provider.SettingsOf(provider.Request{Parameters: map[string]string{"response_format": "svg", "stream": "true"}, Images: 1})
		err := s.Err()
		if err == nil || !strings.Contains(err.Error(), "url, b64_json") || !strings.Contains(err.Error(), "parameter stream") {
			t.Errorf("%v", err)
		}
	})
	t.Run("A parameter that a model of its own might know is passed on unless its row has said it", func(t *testing.T) {
		r := provider.Request{Prompt: "a fox", Images: 2, Seed: new(int64(7))}
		given := map[string]string{"seed": "7", "num_outputs": "2", "aspect_ratio": "3:2", "go_fast": "true", "style": "vivid"}
		input := map[string]any{"prompt": "a fox", "seed": r.Seed, "num_outputs": 2, "aspect_ratio": "3:2"}
		if err := provider.PassOn(r, given, input, "prompt", "seed", "num_outputs"); err != nil {
			t.Fatal(err)
		}
		if input["go_fast"] != true || input["style"] != "vivid" || input["seed"] != r.Seed {
			t.Errorf("%v", input)
		}
		for name, value := range map[string]string{"seed": "8", "num_outputs": "3", "aspect_ratio": "1:1", "prompt": "a bear"} {
			if err := provider.PassOn(r, map[string]string{name: value}, input, "prompt", "seed", "num_outputs"); err == nil || !strings.Contains(err.Error(), "parameter "+name) {
				t.Errorf("%s=%s: %v", name, value, err)
			}
		}
	})
}
