package picture

import (
	"errors"
	"strings"
	"testing"
)

func TestCheckKey(t *testing.T) {
	t.Run("A key of ours is accepted", func(t *testing.T) {
		for _, key := range []string{"81234/5-0.png", "a", "a/b/c/d.webp", "山/水.png", "with space.png", strings.Repeat("n", maxName)} {
			if err := CheckKey(key); err != nil {
				t.Errorf("%q: %v", key, err)
			}
		}
	})
	t.Run("A key that could leave its store is refused", func(t *testing.T) {
		for _, key := range []string{"", "/", "/etc/passwd", "..", "../a", "a/../b", "a/./b", "a//b", "a/", ".tmp/a", "a\\b", "a\x00b",
			"a\nb", "a\u202eb", "a\xffb", strings.Repeat("n", maxName+1), strings.Repeat("n/", maxKey)} {
			if err := CheckKey(key); !errors.Is(err, ErrBadKey) {
				t.Errorf("%q: got %v, want ErrBadKey", key, err)
			}
		}
	})
}

func FuzzCheckKey(f *testing.F) {
	for _, key := range []string{"81234/5-0.png", "../a", "a//b", "\x00", "山.png"} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if CheckKey(key) != nil {
			return
		}
		if strings.HasPrefix(key, "/") || strings.Contains(key, "..") && strings.Contains("/"+key, "/..") {
			t.Errorf("%q was accepted", key)
		}
	})
}
