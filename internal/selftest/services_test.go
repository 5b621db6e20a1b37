package selftest

import (
	"strings"
	"testing"
)

func TestEachProviderOfTheAttackHasAnAdapter(t *testing.T) {
	text := configuration("http://127.0.0.1:1", every)
	for _, name := range providers {
		class, _, _ := strings.Cut(name, "-")
		as, known := services[class]
		if !known || !strings.Contains(text, "  "+name+":\n    adapter: "+as.adapter+"\n") {
			t.Errorf("%s is not configured with the adapter of its class in:\n%s", name, text)
		}
	}
}
