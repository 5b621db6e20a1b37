package selftest

import (
	"context"
	"slices"
	"time"

	"github.com/easelqueue/easel/check"
)

// Report is what a self-test has shown.
type Report struct {
	OK      bool          `json:"ok"` // nothing is violated
	Seed    uint64        `json:"seed"`
	Lasted  time.Duration `json:"lasted_ns"`
	Servers []string      `json:"servers"`
	Faults  []FaultKind   `json:"faults"`
	Judged  check.Report  `json:"judged"`
	Zombies int           `json:"zombie_writes_refused"`
	Folder  string        `json:"folder"`
}

// FaultKind sums up the faults of one kind. A fault's recovery is the time from
// its end, for a worker that was killed from the kill, to the next thing that any
// worker wrote into the journal: that the system as a whole went on.
type FaultKind struct {
	Kind     string        `json:"kind"`
	Count    int           `json:"count"`
	Measured int           `json:"measured"`
	Median   time.Duration `json:"median_ns"`
	Worst    time.Duration `json:"worst_ns"`
}

func (r *run) conclude(ctx context.Context, judged check.Report) Report {
	report := Report{OK: judged.OK, Seed: r.Seed, Lasted: time.Since(r.began), Judged: judged, Folder: r.Folder, Servers: r.servers(),
		Zombies: max(judged.Counts.ZombiesRefused, r.expectations()["zombie_refused"])}
	moments := r.moments(ctx)
	byKind := make(map[string][]occurrence)
	for _, f := range r.faults {
		byKind[f.Kind] = append(byKind[f.Kind], f)
	}
	for _, name := range Kinds() {
		if all := byKind[name]; len(all) > 0 {
			report.Faults = append(report.Faults, summed(name, all, moments))
		}
	}
	return report
}

func summed(name string, all []occurrence, moments []time.Time) FaultKind {
	k := FaultKind{Kind: name, Count: len(all)}
	var took []time.Duration
	for _, f := range all {
		from := f.Until
		if name == "worker killed" {
			from = f.At
		}
		i, _ := slices.BinarySearchFunc(moments, from, time.Time.Compare)
		if i < len(moments) {
			took = append(took, moments[i].Sub(from))
		}
	}
	slices.Sort(took)
	if k.Measured = len(took); k.Measured > 0 {
		k.Median, k.Worst = took[len(took)/2], took[len(took)-1]
	}
	return k
}

// moments are the times at which the journal grew, in order.
func (r *run) moments(ctx context.Context) []time.Time {
	rows, err := r.tasks.DB().QueryContext(ctx, `SELECT sent_at FROM generation_attempt UNION ALL
		SELECT answered_at FROM generation_attempt WHERE answered_at IS NOT NULL UNION ALL
		SELECT finished_at FROM generation_attempt WHERE finished_at IS NOT NULL`)
	if err != nil {
		return nil
	}
	defer rows.Close()
	var all []time.Time
	for rows.Next() {
		var at time.Time
		if rows.Scan(&at) == nil {
			all = append(all, at)
		}
	}
	if rows.Err() != nil {
		return nil
	}
	slices.SortFunc(all, time.Time.Compare)
	return all
}

// servers says what the run stood on.
func (r *run) servers() []string {
	var all []string
	switch {
	case r.DatabaseURL != "":
		all = append(all, "a given database")
	case r.database != nil:
		all = append(all, "PostgreSQL")
	default:
		all = append(all, "SQLite")
	}
	switch {
	case r.RedisURL != "":
		all = append(all, "a given Redis")
	case r.redisAt != nil:
		all = append(all, "Redis")
	default:
		all = append(all, "an embedded Redis")
	}
	if r.storage != nil {
		all = append(all, "S3")
	} else {
		all = append(all, "a folder")
	}
	return all
}
