package worker

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestPulse(t *testing.T) {
	const lease = 9 * time.Second
	for _, c := range []struct {
		claim string
		beats []time.Duration // since the claim
		at    time.Duration
		keeps bool
	}{
		{"A claim is kept for a lease without any heartbeat", nil, lease - 1, true},
		{"and no longer", nil, lease, false},
		{"Heartbeats keep it", []time.Duration{-time.Second, 3 * time.Second, 10 * time.Second}, 18 * time.Second, true},
		{"The last one keeps it for a lease", []time.Duration{-time.Second, 3 * time.Second}, 12 * time.Second, false},
		{"A lease that was over in between is not kept, although the worker beats again", []time.Duration{0, lease, lease + 3*time.Second}, lease + 4*time.Second, false},
		{"A lapse before the claim is none of it", []time.Duration{-lease - 2, -1}, time.Second, true},
	} {
		t.Run(c.claim, func(t *testing.T) {
			synctest.Test(t, func(*testing.T) {
				var p pulse
				<-time.After(time.Hour)
				claimed := time.Now()
				for _, d := range c.beats {
					p.note(claimed.Add(d), nil, lease)
					p.note(claimed.Add(d+1), errors.New("the database is away"), lease)
				}
				<-time.After(c.at)
				if got := p.keeps(claimed, lease); got != c.keeps {
					t.Errorf("it keeps it: %t", got)
				}
			})
		})
	}
}
