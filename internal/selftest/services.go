package selftest

import (
	"fmt"
	"strings"
)

// providers are what the tasks are spread over: each class holds unknown outcomes,
// and the two that cannot avoid them also as a service that may be asked again.
var providers = []string{"k-hold", "c-hold", "a-hold", "s-hold", "a-retry", "s-retry"}

// services are how the studio is spoken to: as the real services of its classes,
// where there are any.
var services = map[string]struct{ adapter, model, path string }{
	"K": {"studio", "brush", ""},
	"C": {"comfyui", "brush.safetensors", ""},
	"A": {"replicate", "acme/brush", "/v1"},
	"S": {"openai", "gpt-image-2", "/v1"},
}

// calledBack is the provider whose service calls back.
const calledBack = "a-retry"

const yamlOne = `  %s:
    adapter: %s
    model: %s
    concurrency: 20
    timeout: 10s
    deadline: 2m
    base_delay: 200ms
    max_delay: 5s
    max_waits: 10000
    on_unknown: %s
    prices: [{from: 2026-01-01, per_image: "0.04", currency: USD}]
    accounts:
      - {name: main, key: "${STUDIO_KEY}", base_url: %q%s}
`

// configuration is the easel.yaml of whoever finds the studio at that address, with the
// providers whose adapters that program has.
func configuration(studio string, has func(adapter string) bool) string {
	text := "providers:\n"
	for _, name := range providers {
		short, policy, _ := strings.Cut(name, "-")
		class, more := strings.ToUpper(short), ""
		if !has(services[class].adapter) {
			continue
		}
		if name == calledBack {
			more = `, webhooks: on, webhook_secret: "${STUDIO_HOOK_SECRET}"`
		}
		as := services[class]
		text += fmt.Sprintf(yamlOne, name, as.adapter, as.model, policy, studio+"/"+class+"/"+name+as.path, more)
	}
	return text
}

func every(string) bool { return true }

// shipped reports whether the program that people run has the adapter.
func shipped(adapter string) bool { return adapter != "studio" }
