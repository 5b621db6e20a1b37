package worker

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestJournalLooks(t *testing.T) {
	const keep = time.Minute
	for _, c := range []struct {
		name  string
		looks []int64 // one each 10 s
		of    int64
		want  time.Duration // its age at the last of them
	}{
		{"An attempt that no look has seen is of no age", []int64{1, 2, 3}, 4, 0},
		{"It is as old as the first look that went as far", []int64{1, 3, 3, 5}, 2, 20 * time.Second},
		{"What is older than the longest wait is as old as one look", []int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 1, keep},
		{"A journal that has lost its newest is looked at anew", []int64{1, 5, 5, 3}, 2, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var l journalLooks
				for i, newest := range c.looks {
					if i > 0 {
						<-time.After(10 * time.Second)
					}
					l.begin(newest)
					l.note(newest, time.Now(), keep)
				}
				if got := l.age(c.of); got != c.want {
					t.Errorf("its age is %s, want %s", got, c.want)
				}
			})
		})
	}
}

func TestALostCallAgesAlthoughTheNewestIsDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l journalLooks
		for round := range int64(10) {
			for _, newest := range []int64{10 + round, 5} { // what is newer is deleted each time
				l.begin(newest)
				l.note(newest, time.Now(), time.Minute)
				if got, want := l.lost(5, "lost"), time.Duration(round)*10*time.Second; got < want {
					t.Errorf("its age is %s, want %s", got, want)
				}
				if got := l.age(5); newest == 5 && got != 0 {
					t.Errorf("the looks alone say %s", got)
				}
			}
			<-time.After(10 * time.Second)
		}
	})
}
