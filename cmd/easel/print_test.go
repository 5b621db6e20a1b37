package main

import (
	"strings"
	"testing"
)

func TestValuesForPeople(t *testing.T) {
	micros := func(n int64) *int64 { return &n }
	for got, want := range map[string]string{
		money(nil, "USD"):       "",
		money(micros(0), "USD"): "0.00 USD",
		pictureAddress("data:image/png;base64," + strings.Repeat("A", 2000)): "data:image/png;base64,… (2.0 kB)",
		pictureAddress("https://x.test/a,b.png"):                             "https://x.test/a,b.png",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
