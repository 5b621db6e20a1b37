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
		beats []time.Duration // begun since the claim
		takes time.Duration   // each of them
		at    time.Duration
		keeps bool
	}{
		{"A claim is kept for a lease without any heartbeat", nil, 0, lease - 1, true},
		{"and no longer", nil, 0, lease, false},
		{"Heartbeats keep it", []time.Duration{-time.Second, 3 * time.Second, 10 * time.Second}, 0, 18 * time.Second, true},
		{"The last one keeps it for a lease", []time.Duration{-time.Second, 3 * time.Second}, 0, 12 * time.Second, false},
		{"A lease that was over in between is not kept, although the worker beats again", []time.Duration{0, lease, lease + 3*time.Second}, 0, lease + 4*time.Second, false},
		{"One that was begun in time and ended after the lease is a lapse", []time.Duration{0, lease - 2*time.Second}, 4 * time.Second, lease + 3*time.Second, false},
		{"One that is slow and ends in time is none", []time.Duration{0, 3 * time.Second}, 4 * time.Second, 11 * time.Second, true},
		{"A lapse before the claim is none of it", []time.Duration{-lease - 2, -1}, 0, time.Second, true},
	} {
		t.Run(c.claim, func(t *testing.T) {
			synctest.Test(t, func(*testing.T) {
				var p pulse
				claimed := time.Now().Add(time.Hour)
				for _, d := range c.beats {
					<-time.After(time.Until(claimed.Add(d + c.takes)))
					p.note(claimed.Add(d), nil, lease)
					p.note(claimed.Add(d+1), errors.New("the database is away"), lease)
				}
				<-time.After(time.Until(claimed.Add(c.at)))
				if got := p.keeps(claimed, lease); got != c.keeps {
					t.Errorf("it keeps it: %t", got)
				}
			})
		})
	}
}
