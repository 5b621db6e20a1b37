package provider

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxAfter bounds what a Retry-After may say, far above what is believed
// (task.Retry.MaxAfter), so that no number can overflow a duration.
const maxAfter = 366 * 24 * time.Hour

// retryAfter reads how long a service asks us to wait: retry-after-ms, then
// Retry-After in seconds (fractions too) or as an HTTP date. What it cannot
// read, and what lies in the past, is 0: the service did not say.
func retryAfter(h http.Header, now time.Time) time.Duration {
	if d, ok := after(h.Get("Retry-After-Ms"), time.Millisecond); ok {
		return d
	}
	value := h.Get("Retry-After")
	if d, ok := after(value, time.Second); ok {
		return d
	}
	if date, err := http.ParseTime(value); err == nil {
		return min(max(date.Sub(now), 0), maxAfter)
	}
	return 0
}

func after(number string, unit time.Duration) (time.Duration, bool) {
	n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	switch {
	case err != nil || n != n:
		return 0, false
	case n <= 0:
		return 0, true
	case n > float64(maxAfter/unit):
		return maxAfter, true
	}
	return time.Duration(n * float64(unit)), true
}
