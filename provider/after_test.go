package provider_test

import (
	"testing"
	"time"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/provider/providertest"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	const year = 366 * 24 * time.Hour
	for _, c := range []struct {
		claim, header, value string
		want                 time.Duration
	}{
		{"Seconds", "Retry-After", "20", 20 * time.Second},
		{"Seconds with blanks", "Retry-After", " 20 ", 20 * time.Second},
		{"A fraction", "Retry-After", "0.25", 250 * time.Millisecond},
		{"Milliseconds", "retry-after-ms", "1500", 1500 * time.Millisecond},
		{"A date", "Retry-After", "Sun, 22 Nov 2026 12:00:30 GMT", 30 * time.Second},
		{"A date that has passed", "Retry-After", "Sun, 22 Nov 2026 11:00:00 GMT", 0},
		{"A date in a far century", "Retry-After", "Sun, 22 Nov 2926 12:00:30 GMT", year},
		{"A negative number", "Retry-After", "-5", 0},
		{"More than a duration holds", "Retry-After", "1e300", year},
		{"Infinity", "Retry-After", "inf", year},
		{"No number", "Retry-After", "NaN", 0},
		{"A sentence", "Retry-After", "soon", 0},
		{"Nothing", "Retry-After", "", 0},
	} {
		t.Run(c.claim, func(t *testing.T) {
			s, client := service(t, providertest.Answers(429, "{}", c.header, c.value))
			client.Now = func() time.Time { return now }
			reply, err := client.Do(t.Context(), post(s.URL, "{}"))
			if err != nil || reply.RetryAfter != c.want {
				t.Errorf("got %s, %v; want %s", reply.RetryAfter, err, c.want)
			}
			if f := (provider.Faults{}).Failure(reply, ""); f.RetryAfter != c.want {
				t.Errorf("the failure says %s; want %s", f.RetryAfter, c.want)
			}
		})
	}
	t.Run("Milliseconds count before seconds", func(t *testing.T) {
		s, client := service(t, providertest.Answers(429, "", "retry-after-ms", "10", "Retry-After", "99"))
		if reply, err := client.Do(t.Context(), post(s.URL, "{}")); err != nil || reply.RetryAfter != 10*time.Millisecond {
			t.Errorf("got %s, %v", reply.RetryAfter, err)
		}
	})
}
