// Package gc removes pictures that no row refers to: of tasks that were deleted, of
// calls that a crash has cut off, of rows that were let go because of their age. It
// touches nothing young, and nothing that is not easel's.
package gc

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/easelqueue/easel/picture"
	"github.com/easelqueue/easel/store"
)

// tasks is the part of the store that says what is referred to.
type tasks interface {
	Files(ctx context.Context, ids []int64) (map[int64]store.Files, error)
}

// Collector finds and removes orphans. Its fields are set before its first use.
type Collector struct {
	Tasks    tasks
	Pictures picture.Lister
	Now      func() time.Time // by the clock that stamps the pictures; default time.Now

	// Grace is how old an orphan must be: a picture is stored before its row is
	// written. Default one day.
	Grace time.Duration
}

const (
	defaultGrace = 24 * time.Hour
	batch        = 500 // tasks of which the rows are asked for at once
)

// Report is what a run has found, and what of it is gone.
type Report struct {
	Seen         int      `json:"seen"`          // pictures, thumbnails and inputs in storage
	Bytes        int64    `json:"bytes"`         // of all of them
	Orphans      int      `json:"orphans"`       // that no row refers to
	OrphanBytes  int64    `json:"orphan_bytes"`  //
	Removed      int      `json:"removed"`       // of the orphans
	RemovedBytes int64    `json:"removed_bytes"` //
	Young        int      `json:"young"`         // that no row refers to, and too young to judge
	Strange      int      `json:"strange"`       // that are not named as easel names them; they stay
	Samples      []string `json:"samples"`       // some of the orphans' keys
}

const maxSamples = 20

// Run looks at everything in storage and, if remove is set, deletes what no row refers
// to. each, which may be nil, is told of every key that was looked at. When ctx ends
// it returns with what it has done so far.
func (c *Collector) Run(ctx context.Context, remove bool, each func(Report)) (Report, error) {
	r := Report{Samples: []string{}}
	var pending []picture.Object
	ids := make(map[int64]bool)
	flush := func() error {
		err := c.judge(ctx, pending, remove, &r)
		pending, ids = nil, make(map[int64]bool)
		if each != nil {
			each(r)
		}
		return err
	}
	for o, err := range c.Pictures.All(ctx, "") {
		if err != nil {
			return r, err
		}
		r.Seen++
		r.Bytes += o.Size
		id, ours := taskOf(o.Key)
		if !ours {
			r.Strange++
			continue
		}
		if ids[id] = true; len(ids) > batch {
			if err := flush(); err != nil {
				return r, err
			}
			ids[id] = true
		}
		pending = append(pending, o)
	}
	return r, flush()
}

// judge decides about the pictures of some tasks.
func (c *Collector) judge(ctx context.Context, objects []picture.Object, remove bool, r *Report) error {
	var ids []int64
	for _, o := range objects {
		id, _ := taskOf(o.Key)
		ids = append(ids, id)
	}
	slices.Sort(ids)
	known, err := c.Tasks.Files(ctx, slices.Compact(ids))
	if err != nil {
		return err
	}
	now := time.Now
	if c.Now != nil {
		now = c.Now
	}
	youngest := now().Add(-cmp.Or(c.Grace, defaultGrace))
	for _, o := range objects {
		id, _ := taskOf(o.Key)
		f := known[id]
		switch {
		case f.Open || refers(f.Keys, o.Key):
			continue
		case o.Modified.After(youngest):
			r.Young++
			continue
		}
		r.Orphans++
		r.OrphanBytes += o.Size
		if len(r.Samples) < maxSamples {
			r.Samples = append(r.Samples, o.Key)
		}
		if !remove {
			continue
		}
		if err := c.Pictures.Delete(ctx, o.Key); err != nil {
			return err
		}
		r.Removed++
		r.RemovedBytes += o.Size
	}
	return nil
}

// refers reports whether a row names the key, or a thumbnail whose preview it is.
func refers(keys []string, key string) bool {
	return slices.ContainsFunc(keys, func(k string) bool { return k == key || picture.PreviewKey(k) == key })
}

// taskOf is the task whose folder a key is in.
func taskOf(key string) (id int64, ours bool) {
	folder, _, deep := strings.Cut(key, "/")
	id, err := strconv.ParseInt(folder, 10, 64)
	return id, deep && err == nil && id > 0
}
