package config

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/provider/all"
	"github.com/easelqueue/easel/task"
)

const wholeFile = `
providers:
  openai:
    model: gpt-image-2.6-flare
    concurrency: 7
    timeout: 90s
    deadline: 10m
    on_unknown: retry
    server_errors: 4
    on_server_error: hold
    max_waits: 3
    base_delay: 1s
    max_delay: 1m
    accounts:
      - name: main
        key: ${OPENAI_API_KEY}
        base_url: https://proxy.test/v1/
        organization: org
        per_minute: 50
        in_flight: 20
      - {name: spare, key: "${SPARE_KEY}"}
    prices:
      - {model: gpt-image-1-mini, size: 1024x1024, quality: low, from: 2026-01-01, per_image: "0.005"}
      - {from: 2026-02-01, per_image: 1, currency: EUR}
  drawings:
    adapter: sketch
`

func TestYAML(t *testing.T) {
	c, err := load(t, wholeFile, "OPENAI_API_KEY="+canary)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("Every field arrives", func(t *testing.T) {
		want := Provider{Name: "openai", Model: "gpt-image-2.6-flare", Concurrency: 7, Timeout: 90 * time.Second,
			Deadline: 10 * time.Minute, OnUnknown: task.Resend, ServerErrors: 4, HoldServerErrors: true, MaxWaits: 3, BaseDelay: time.Second, MaxDelay: time.Minute,
			Accounts: []Account{
				{Name: "main", KeyVariable: "OPENAI_API_KEY", Key: canary, BaseURL: "https://proxy.test/v1", Options: map[string]string{"organization": "org"}, PerMinute: 50, InFlight: 20},
				{Name: "spare", KeyVariable: "SPARE_KEY", BaseURL: "https://api.openai.com/v1"},
			},
			Prices: provider.Prices{
				{Model: "gpt-image-1-mini", Size: "1024x1024", Quality: "low", From: day(2026, 1, 1), Micros: 5000, Currency: "USD", Version: "2026-01-01"},
				{From: day(2026, 2, 1), Micros: 1_000_000, Currency: "EUR", Version: "2026-02-01"},
			}}
		got := c.Providers[0]
		if got.Kind.Name != "openai" {
			t.Errorf("it is a %s", got.Kind.Name)
		}
		got.Kind = provider.Kind{} // functions are not to be compared
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("An account without its key is left out and noted", func(t *testing.T) {
		if got := c.Services["openai"].Accounts; len(got) != 1 || got[0].Name != "main" || got[0].Limits.PerMinute != 50 {
			t.Errorf("accounts: %+v", got)
		}
		if len(c.Notes) != 1 || !strings.Contains(c.Notes[0], "SPARE_KEY is not set") {
			t.Errorf("notes: %q", c.Notes)
		}
	})
	t.Run("A provider may have another name than its adapter", func(t *testing.T) {
		if s := c.Services["drawings"]; s == nil || len(s.Accounts) != 1 {
			t.Errorf("got %+v", s)
		}
	})
	t.Run("Providers of the environment are there beside those of the file", func(t *testing.T) {
		if got := strings.Join(c.Services.Names(), " "); got != "drawings openai sketch volcengine" {
			t.Errorf("got %s", got)
		}
	})
	t.Run("A provider without a key says what to set", func(t *testing.T) {
		_, _, err := c.Services.Check(&task.Task{Request: task.Request{Provider: "volcengine", Prompt: "x"}})
		if err == nil || !strings.Contains(err.Error(), "ARK_API_KEY") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("A drain shorter than a call that is paid for is noted", func(t *testing.T) {
		for drain, want := range map[string]int{"90s": 0, "89s": 1} {
			c, err := load(t, "providers: {openai: {timeout: 90s}, volcengine: {timeout: 20m}}", "OPENAI_API_KEY="+canary, "EASEL_DRAIN="+drain)
			if err != nil || len(c.Notes) != want {
				t.Errorf("a drain of %s gives %q, %v", drain, c.Notes, err)
			}
			if want == 1 && !strings.Contains(c.Notes[0], "EASEL_DRAIN is 1m29s, shorter than the timeout of provider openai (1m30s)") {
				t.Errorf("got %q", c.Notes)
			}
		}
	})
	t.Run("A drain is long enough for free providers", func(t *testing.T) {
		if c, err := load(t, "", "EASEL_DRAIN=0s"); err != nil || len(c.Notes) != 0 {
			t.Errorf("got %q, %v", c.Notes, err)
		}
	})
	t.Run("A model that a task does not name is the file's, else the adapter's", func(t *testing.T) {
		for text, want := range map[string]string{
			"":                            "doubao-seedream-4-0-250828",
			"providers: {volcengine: {}}": "doubao-seedream-4-0-250828",
			"providers: {volcengine: {model: doubao-seedream-4-5}}": "doubao-seedream-4-5",
		} {
			c, err := load(t, text, "ARK_API_KEY="+canary)
			if err != nil {
				t.Fatal(err)
			}
			_, call, err := c.Services.Check(&task.Task{Request: task.Request{Provider: "volcengine", Prompt: "x"}})
			if err != nil || call.Model != want {
				t.Errorf("%q makes %q of it, %v", text, call.Model, err)
			}
		}
		c, err := load(t, "providers: {ark: {adapter: volcengine}}", "ARK_API_KEY="+canary)
		if err != nil || c.Services["ark"].DefaultModel != "doubao-seedream-4-0-250828" {
			t.Errorf("under another name: %+v, %v", c.Services["ark"], err)
		}
	})
	t.Run("A provider without a default model says where to name one", func(t *testing.T) {
		c, err := load(t, "", "OPENAI_API_KEY="+canary)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = c.Services.Check(&task.Task{Request: task.Request{Provider: "openai", Prompt: "x"}})
		if err == nil || task.AsFailure(err).Advice != task.SetModel || !strings.Contains(err.Error(), "easel.yaml (model:)") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("An unknown outcome of a free provider may be sent again", func(t *testing.T) {
		if got := c.Services["sketch"].Retry; got.OnUnknown != task.Resend || !got.Free || c.Services["openai"].Retry.Free {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("What an account's callbacks were called before is read", func(t *testing.T) {
		c, err := load(t, `providers: {replicate: {accounts: [{webhooks: on, webhook_secret: "${SIGNS}"}]}}`, "REPLICATE_API_TOKEN="+canary, "SIGNS=whsec_aGVsbG8=")
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(c.Providers, func(p Provider) bool { return p.Name == "replicate" })
		if a := c.Providers[i].Accounts[0]; !a.Callbacks || a.CallbackSecret != "whsec_aGVsbG8=" {
			t.Errorf("callbacks %t, their secret %q", a.Callbacks, a.CallbackSecret.Reveal())
		}
	})
	t.Run("No printing shows a key", func(t *testing.T) {
		text, err := json.Marshal(c.Effective())
		if err != nil {
			t.Fatal(err)
		}
		all := fmt.Sprintf("%v %+v %#v %s", c.Providers, c.Providers, c.Providers, text)
		if strings.Contains(all, canary) {
			t.Error("the key is shown")
		}
	})
}

func day(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }

func TestYAMLMistakes(t *testing.T) {
	in := func(lines ...string) string { return "providers:\n  openai:\n    " + strings.Join(lines, "\n    ") }
	account := func(line string) string { return in("accounts:", "- "+line) }
	price := func(line string) string { return in("prices:", "- {"+line+"}") }
	for claim, c := range map[string]struct{ text, want string }{
		"A number has bounds": {account("per_minute: -3"),
			"easel.yaml:4: providers.openai.accounts[0].per_minute is -3; accepted are 0 (no limit) to 100000"},
		"A number is whole":                {in("concurrency: 1.5"), "easel.yaml:3: providers.openai.concurrency is 1.5; accepted are 1 to 10000"},
		"A duration has bounds":            {in("timeout: 2h"), "providers.openai.timeout is 2h; accepted are durations from 1s to 1h"},
		"A duration has a unit":            {in("timeout: 5"), "providers.openai.timeout is 5;"},
		"A timeout fits into the deadline": {in("timeout: 10m", "deadline: 5m"), "easel.yaml:3: providers.openai.timeout is 10m, longer than deadline; accepted is at most 5m"},
		"Back-offs fit into their cap":     {in("base_delay: 10m", "max_delay: 5m"), "base_delay is 10m, longer than max_delay"},
		"A former name beside the new one": {"providers:\n  fal:\n    accounts:\n    - callbacks: on\n      webhooks: off",
			"easel.yaml:5: providers.fal.accounts[0].webhooks is there beside callbacks; webhooks is the former name of callbacks; accepted is one of them"},
		"A misspelt key names the near one": {in("concurency: 5"), "easel.yaml:3: providers.openai.concurency is not known; did you mean concurrency?"},
		"An unknown key names the known":    {account("fruit: 5"), "providers.openai.accounts[0].fruit is not known; known are name, base_url"},
		"A key at the top is checked":       {"provider: {}", "easel.yaml:1: provider is not known; did you mean providers?"},
		"A literal key is refused, not shown": {account("key: " + canary),
			"easel.yaml:4: providers.openai.accounts[0].key is written down in the file; accepted is a reference to an environment variable, such as ${OPENAI_API_KEY}"},
		"A key around a reference is refused": {account(`key: "` + canary + `${X}"`), "key is written down in the file"},
		"A key twice is refused, not shown":   {account("key: ${A}\n      key: " + canary), "easel.yaml:5: the file is not valid YAML"},
		"Broken YAML shows no source":         {account("key: {" + canary), "the file is not valid YAML"},
		"A base URL holds no password":        {account("base_url: https://u:" + canary + "@h/v1"), "base_url is not such a URL"},
		"An adapter must be known":            {in("adapter: canvas"), `providers.openai.adapter is "canvas"; accepted are bfl, comfyui, dashscope, fal, gemini, jimeng, midjourney, openai, replicate, sketch, stability, stable_diffusion, volcengine`},
		"A new provider must have an adapter": {"providers:\n  canvas: {}", `providers.canvas.adapter is "canvas"; accepted are`},
		"A name holds no colon":               {"providers:\n  'a:b': {adapter: sketch}", "easel.yaml:2: providers.a:b is not a name; accepted are 1 to 48"},
		"Accounts have names of their own":    {in("accounts:", "- name: a", "- name: a"), `accounts[1].name is "a", as that of another account`},
		"server_errors has bounds":            {in("server_errors: 0"), "server_errors is 0; accepted are 1 (for none say on_server_error: hold) to 20"},
		"on_server_error is one of two":       {in("on_server_error: ask"), `on_server_error is "ask"; accepted are retry, hold`},
		"on_unknown is one of two":            {in("on_unknown: maybe"), `on_unknown is "maybe"; accepted are hold, retry`},
		"A list is a list":                    {in("accounts: 3"), "accounts is not a list"},
		"A mapping is a mapping":              {in("accounts:", "- 3"), "accounts[0] is not a mapping"},
		"A value is not a list":               {in("model: [a]"), "model is not a single value"},
		"A price needs a day":                 {price("per_image: 1"), "prices[0].from is missing"},
		"A price says how much":               {price("from: 2026-01-01"), "a price says per_image, per_million_input_tokens or"},
		"A price of tokens is an amount":      {price("from: 2026-01-01, per_million_output_tokens: much"), `per_million_output_tokens is "much"`},
		"A day is a day":                      {price("per_image: 1, from: 2026-02-30"), `from is "2026-02-30"; accepted is a day`},
		"A price has at most six decimals":    {price("from: 2026-01-01, per_image: 0.0000001"), `per_image is "0.0000001"; accepted are 0 to 10000`},
		"A price is not negative":             {price("from: 2026-01-01, per_image: -1"), `per_image is "-1"`},
		"A price has no exponent":             {price("from: 2026-01-01, per_image: 1e3"), `per_image is "1e3"`},
		"A currency is a code":                {price("from: 2026-01-01, per_image: 1, currency: dollars"), `currency is "dollars"`},
		"Sketch has no organization":          {"providers:\n  sketch:\n    accounts:\n    - organization: x", "accounts[0].organization is not known"},
		"Aliases are refused":                 {"providers: &a\n  openai: *a", "providers uses an anchor or an alias"},
		"One document is enough":              {"providers: {}\n---\nproviders: {}", "holds more than one document"},
		"A list at the top is refused":        {"- a", "the file is not a mapping"},
	} {
		t.Run(claim, func(t *testing.T) {
			_, err := load(t, c.text)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got  %v\nwant %s", err, c.want)
			}
			if strings.Contains(err.Error(), canary) {
				t.Errorf("the error shows the secret: %v", err)
			}
		})
	}
	t.Run("All mistakes are told at once", func(t *testing.T) {
		_, err := load(t, in("concurrency: 0", "timeout: x", "fruit: 1", "accounts:", "- per_minute: -1"), "EASEL_LOG=y")
		if n := len(MistakesOf(err)); n != 5 {
			t.Errorf("%d mistakes: %v", n, err)
		}
	})
	for claim, text := range map[string]string{
		"An empty file is no Mistake":   "",
		"Only comments are no Mistake":  "# nothing\n",
		"No providers are no Mistake":   "providers:\n",
		"A bare provider is no Mistake": "providers:\n  openai:\n",
		"Empty accounts are no Mistake": in("accounts: []"),
	} {
		t.Run(claim, func(t *testing.T) {
			if _, err := load(t, text); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("A file that is too large is refused", func(t *testing.T) {
		if _, err := load(t, "#"+strings.Repeat("x", maxConfigFile)); err == nil || !strings.Contains(err.Error(), "larger than") {
			t.Errorf("got %v", err)
		}
	})
}

func FuzzYAML(f *testing.F) {
	f.Add(wholeFile)
	f.Add("providers: &a {b: *a}\n<<: [1")
	f.Fuzz(func(_ *testing.T, text string) {
		(&yamlReader{file: "easel.yaml", vars: map[string]string{}, kinds: all.Kinds}).providers([]byte(text))
	})
}
