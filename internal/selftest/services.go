package selftest

import (
	"fmt"
	"strings"
)

// providers are what the tasks are spread over: each class holds unknown outcomes,
// and the two that cannot avoid them also as a service that may be asked again.
var providers = []string{"idempotent-hold", "lookup-hold", "async-hold", "sync-hold", "async-retry", "sync-retry"}

// services are how the fake provider is spoken to: as the real services of its classes,
// where there are any.
var services = map[string]struct{ adapter, model, path string }{
	"idempotent": {"fakeprovider", "brush", ""},
	"lookup":     {"comfyui", "brush.safetensors", ""},
	"async":      {"replicate", "acme/brush", "/v1"},
	"sync":       {"openai", "gpt-image-2", "/v1"},
}

// calledBack is the provider whose service calls back.
const calledBack = "async-retry"

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
      - {name: main, key: "${FAKEPROVIDER_KEY}", base_url: %q%s}
`

// configuration is the easel.yaml of whoever finds the fake provider at that address, with the
// providers whose adapters that program has.
func configuration(fakeprovider string, has func(adapter string) bool) string {
	text := "providers:\n"
	for _, name := range providers {
		class, policy, _ := strings.Cut(name, "-")
		more := ""
		if !has(services[class].adapter) {
			continue
		}
		if name == calledBack {
			more = `, callbacks: on, callback_secret: "${FAKEPROVIDER_CALLBACK_SECRET}"`
		}
		as := services[class]
		text += fmt.Sprintf(yamlOne, name, as.adapter, as.model, policy, fakeprovider+"/"+class+"/"+name+as.path, more)
	}
	return text
}

func every(string) bool { return true }

// shipped reports whether the program that people run has the adapter.
func shipped(adapter string) bool { return adapter != "fakeprovider" }
