package human_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/easelqueue/easel/internal/human"
)

func TestSpan(t *testing.T) {
	for want, d := range map[string]time.Duration{"0s": 0, "59s": 59 * time.Second, "1m": 119 * time.Second, "47h": 48*time.Hour - 1, "2d": 48 * time.Hour,
		"in 2m": -91 * time.Second, "in 1m": -59500 * time.Millisecond, "in 2h": -2*time.Hour + 4*time.Minute, "in 3d": -72*time.Hour + time.Second,
		"in 106751d": math.MinInt64} {
		t.Run("How long something is takes one unit: "+want, func(t *testing.T) {
			if got := human.English.Span(d); got != want {
				t.Errorf("got %q", got)
			}
		})
	}
	for want, d := range map[string]time.Duration{"59 秒": 59 * time.Second, "2 天": 48 * time.Hour, "5 分钟后": -5 * time.Minute} {
		t.Run("So it does in Chinese: "+want, func(t *testing.T) {
			if got := human.Chinese.Span(d); got != want {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestAgo(t *testing.T) {
	now := time.Date(2026, 1, 10, 12, 0, 0, 0, time.UTC)
	for d, want := range map[time.Duration][2]string{
		2 * time.Second:              {"just now", "刚刚"},
		-time.Second:                 {"just now", "刚刚"},
		59 * time.Second:             {"59s ago", "59 秒前"},
		48 * time.Hour:               {"2d ago", "2 天前"},
		-5*time.Minute - time.Second: {"in 5m", "5 分钟后"},
	} {
		t.Run("A time is said by how far it is away: "+want[0], func(t *testing.T) {
			if got := human.English.Ago(now, now.Add(-d)); got != want[0] {
				t.Errorf("got %q", got)
			}
			if got := human.Chinese.Ago(now, now.Add(-d)); got != want[1] {
				t.Errorf("got %q in Chinese", got)
			}
		})
	}
}

func TestTook(t *testing.T) {
	for d, want := range map[time.Duration][2]string{
		-time.Second:                {"0s", "0 秒"},
		1234567 * time.Nanosecond:   {"1.2ms", "1.2 毫秒"},
		200 * time.Microsecond:      {"200µs", "200 微秒"},
		123456789 * time.Nanosecond: {"123ms", "123 毫秒"},
		57234 * time.Millisecond:    {"57.2s", "57.2 秒"},
		90400 * time.Millisecond:    {"1m30s", "1 分钟 30 秒"},
		5 * time.Minute:             {"5m", "5 分钟"},
	} {
		t.Run("What something took has no more digits than mean something: "+want[0], func(t *testing.T) {
			if got := human.English.Took(d); got != want[0] {
				t.Errorf("got %q", got)
			}
			if got := human.Chinese.Took(d); got != want[1] {
				t.Errorf("got %q in Chinese", got)
			}
		})
	}
}

func TestDuration(t *testing.T) {
	for want, d := range map[string]time.Duration{"5m": 5 * time.Minute, "2h": 2 * time.Hour, "1m30s": 90 * time.Second, "0s": 0, "1h0m1s": time.Hour + time.Second} {
		t.Run("A duration ends where its zeros begin: "+want, func(t *testing.T) {
			if got := human.Duration(d); got != want {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestSize(t *testing.T) {
	for want, n := range map[string]int64{"0 B": -1, "999 B": 999, "1.0 kB": 1000, "1.5 kB": 1500, "9.9 kB": 9949, "10 kB": 9999,
		"1.0 MB": 999_950, "64 MB": 64_000_000, "2.0 GB": 2_000_000_000} {
		t.Run("A size has two digits or three: "+want, func(t *testing.T) {
			if got := human.Size(n); got != want {
				t.Errorf("got %q", got)
			}
		})
	}
	for want, n := range map[string]int64{"1000 B": 1000, "1.0 KiB": 1024, "512 MiB": 512 << 20, "1.0 MiB": 1<<20 - 1, "3.0 TiB": 3 << 40} {
		t.Run("So has one in units of 1,024: "+want, func(t *testing.T) {
			if got := human.BinarySize(n); got != want {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{"512MiB": 512 << 20, "1 TiB": 1 << 40, "1.5gb": 1_500_000_000, " 64mi ": 64 << 20, "70000000": 70_000_000, "2k": 2000, "1,024 KiB": 1 << 20} {
		t.Run("A size is read with its unit: "+text, func(t *testing.T) {
			if got, err := human.ParseSize(text); err != nil || got != want {
				t.Errorf("got %d, %v", got, err)
			}
		})
	}
	for _, text := range []string{"", "MiB", "-1MiB", "1e3", "Inf", "0x10", "5 apples", "9e300TiB", strings.Repeat("9", 400)} {
		t.Run("What is none is refused: "+human.Shorten(text, 20), func(t *testing.T) {
			if got, err := human.ParseSize(text); err == nil {
				t.Errorf("got %d", got)
			}
		})
	}
}

func TestShorten(t *testing.T) {
	for in, want := range map[string]string{"": "", "1234": "1234", "12345": "123…", "狐狸狐狸": "狐狸狐狸", "狐狸狐狸狐": "狐狸狐…"} {
		t.Run("Characters are counted, not bytes: "+in, func(t *testing.T) {
			if got := human.Shorten(in, 4); got != want {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestMoney(t *testing.T) {
	for want, c := range map[string]struct {
		micros   int64
		currency string
	}{"0.00 USD": {0, "USD"}, "0.005 USD": {5_000, "USD"}, "1.50 CNY": {1_500_000, "CNY"}, "-0.000001": {-1, ""}, "-9223372036854.775808 X": {-1 << 63, "X"}} {
		t.Run("Money has two decimals, or as many as it has: "+want, func(t *testing.T) {
			if got := human.Money(c.micros, c.currency); got != want {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[int]string{0: "0 files", 1: "1 file", 2: "2 files"} {
		t.Run("One is not several: "+want, func(t *testing.T) {
			if got := human.Count(n, "file"); got != want {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestNearest(t *testing.T) {
	for _, c := range []struct {
		word  string
		known []string
		want  string
	}{
		{"EASEL_LISEN", []string{"EASEL_LOG", "EASEL_LISTEN"}, "EASEL_LISTEN"},
		{"lst", []string{"retry", "list"}, "list"},
		{"fruit", []string{"name", "key"}, ""},
		{strings.Repeat("x", 65), []string{strings.Repeat("x", 64)}, ""},
	} {
		if got := human.Nearest(c.word, c.known); got != c.want {
			t.Errorf("%q: got %q, want %q", c.word, got, c.want)
		}
	}
}
