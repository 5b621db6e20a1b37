package providertest

import (
	"os"
	"path/filepath"
	"testing"
)

// Example returns a file of the adapter's testdata: what the service really says.
func Example(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
