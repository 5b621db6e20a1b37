package provider_test

import (
	"testing"
	"time"

	"github.com/easelqueue/easel/provider"
)

func TestPricesByTokens(t *testing.T) {
	table := provider.Prices{
		{Model: "tokens", Input: 5_000_000, Output: 30_000_000, Currency: "USD", Version: "1"},
		{Model: "both", Micros: 100, Input: 1, Currency: "USD", Version: "2"},
		{Model: "pictures", Micros: 40_000, Currency: "CNY", Version: "3"},
	}
	for _, c := range []struct {
		claim, model string
		used         *provider.Usage
		want         int64 // -1 is unknown
	}{
		{"Tokens are counted on both sides", "tokens", &provider.Usage{InputTokens: 268, OutputTokens: 1120}, 268*5 + 1120*30},
		{"A price by tokens without a usage is unknown", "tokens", nil, -1},
		{"A fraction of a millionth is one", "both", &provider.Usage{InputTokens: 1}, 201},
		{"Pictures need no usage", "pictures", nil, 80_000},
		{"A usage that nobody can have does not overflow", "tokens", &provider.Usage{OutputTokens: 1 << 62}, 3_000_000_000},
		{"A negative usage is none", "tokens", &provider.Usage{InputTokens: -5}, 0},
		{"A model that is not listed is unknown", "other", &provider.Usage{}, -1},
	} {
		t.Run(c.claim, func(t *testing.T) {
			got := table.Cost(c.model, "", "", 2, c.used, time.Now())
			switch {
			case c.want < 0 && got != nil, c.want >= 0 && (got == nil || got.Micros != c.want):
				t.Errorf("got %+v, want %d", got, c.want)
			}
		})
	}
}
