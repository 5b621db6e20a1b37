package human

import (
	"strings"
	"testing"

	"github.com/easelqueue/easel/task"
)

func TestAdvice(t *testing.T) {
	t.Run("Each code has words in both languages, with an argument and without", func(t *testing.T) {
		for _, a := range task.AllAdvice() {
			for _, about := range []string{"", "xyzzy"} {
				en, zh := English.Advice(a, about), Chinese.Advice(a, about)
				if en == "" || zh == "" || en == zh {
					t.Errorf("%s with %q is %q and %q", a, about, en, zh)
				}
				if strings.Contains(en, "xyzzy") != strings.Contains(zh, "xyzzy") || strings.Contains(en+zh, "%!") {
					t.Errorf("%s tells its argument as %q and %q", a, en, zh)
				}
				if strings.ContainsAny(en+zh, "。`") || strings.HasSuffix(en, ".") {
					t.Errorf("%s is %q and %q; a presenter ends the sentence and names the command", a, en, zh)
				}
			}
		}
		if n := len(chineseAdvice); n != len(task.AllAdvice()) {
			t.Errorf("%d codes in Chinese, %d in English", n, len(task.AllAdvice()))
		}
	})
	t.Run("A code of a later release says nothing", func(t *testing.T) {
		if en, zh := English.Advice("fly", "x"), Chinese.Advice("fly", "x"); en+zh != "" {
			t.Errorf("%q and %q", en, zh)
		}
	})
}
