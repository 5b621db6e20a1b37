package human

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Time is a moment to the second, in UTC: pages and messages may be read anywhere.
func Time(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// Minute is Time without the seconds.
func Minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// Clock is the time of day of Time.
func Clock(t time.Time) string { return t.UTC().Format("15:04:05 UTC") }

// Duration writes d as settings do: 5m and not 5m0s.
func Duration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// Span is how long d is, in one unit: the whole ones that have passed, or the nearest
// number of those that are still to come, where d is below zero.
func (l Language) Span(d time.Duration) string {
	to := -max(d, -math.MaxInt64) // which has no overflow
	switch {
	case d <= -time.Hour:
		return l.ahead(l.Span(to.Round(time.Hour)))
	case d <= -time.Minute:
		return l.ahead(l.Span(to.Round(time.Minute)))
	case d < 0:
		return l.ahead(l.Span(to.Round(time.Second)))
	case d < time.Minute:
		return l.length(int(d/time.Second), "s")
	case d < time.Hour:
		return l.length(int(d/time.Minute), "m")
	case d < 48*time.Hour:
		return l.length(int(d/time.Hour), "h")
	}
	return l.length(int(d/(24*time.Hour)), "d")
}

func (l Language) length(n int, unit string) string { return l.Length(strconv.Itoa(n) + unit) }

func (l Language) ahead(span string) string { return l.Of("in "+span, span+"后") }

// Ago is how far t lies behind now, or before it, in one unit.
func (l Language) Ago(now, t time.Time) string {
	d := now.Sub(t)
	switch {
	case d < -time.Second:
		return l.Span(d)
	case d < 5*time.Second:
		return l.Of("just now", "刚刚")
	}
	span := l.Span(d)
	return l.Of(span+" ago", span+"前")
}

// Took is how long something lasted, without more digits than mean something. Two clocks
// that disagree make it zero at least.
func (l Language) Took(d time.Duration) string {
	switch d = max(d, 0); {
	case d < 10*time.Millisecond:
		return l.Length(d.Round(100 * time.Microsecond).String())
	case d < time.Second:
		return l.Length(d.Round(time.Millisecond).String())
	case d < time.Minute:
		return l.Length(d.Round(100 * time.Millisecond).String())
	}
	return l.Length(Duration(d.Round(time.Second)))
}

var (
	lengths = regexp.MustCompile(`([0-9.]+)(µs|ms|s|m|h|d)`)
	units   = map[string]string{"µs": "微秒", "ms": "毫秒", "s": "秒", "m": "分钟", "h": "小时", "d": "天"}
)

// Length tells in the language how long something is that is written as Duration writes it.
func (l Language) Length(written string) string {
	if l != Chinese {
		return written
	}
	told := lengths.ReplaceAllStringFunc(written, func(one string) string {
		m := lengths.FindStringSubmatch(one)
		return m[1] + " " + units[m[2]] + " "
	})
	return strings.TrimSpace(told)
}

// ParseDuration reads a duration, which may also be of days: "90d".
func ParseDuration(text string) (time.Duration, error) {
	days, ok := strings.CutSuffix(text, "d")
	if !ok {
		return time.ParseDuration(text)
	}
	n, err := strconv.ParseUint(days, 10, 16)
	return time.Duration(n) * 24 * time.Hour, err
}
