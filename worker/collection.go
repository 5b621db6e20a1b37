package worker

import (
	"fmt"
	"slices"
	"strings"

	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

// brought is what became of one picture of an answer.
type brought struct {
	results []task.Result // more than one of a grid
	raw     *task.RawFile // its bytes, as they came: they are no picture for us
	err     *task.Failure // why there is no result
	again   bool          // it may be there later
	moved   bool          // the output says something new of where it lies
	warning string        // of a result that is not as it should be
}

// collection is what has been brought of an answer so far.
type collection struct {
	before, of int // pictures of the task's earlier calls, and of all
	results    []task.Result
	raw        []task.RawFile
	warnings   []string
	refused    *task.Failure // the first failure
	waits      *task.Failure // the first that may pass
	full       *task.Failure // why our storage does not take what comes next
	bought     bool          // something was drawn that is not among the results
	moved      bool
}

func (c *collection) add(out *provider.Output, b brought) {
	c.results = append(c.results, b.results...)
	c.moved = c.moved || b.moved
	if b.raw != nil {
		c.raw = append(c.raw, *b.raw)
	}
	if b.warning != "" {
		c.warnings = append(c.warnings, fmt.Sprintf("picture %d of %d %s", c.before+out.Position+1, c.of, b.warning))
	}
	if b.err == nil {
		return
	}
	c.bought = c.bought || out.Err == nil
	if c.waits == nil && b.again {
		c.waits = b.err
	}
	if c.refused == nil {
		c.refused = b.err
	}
	c.warnings = append(c.warnings, fmt.Sprintf("picture %d of %d is missing: %s", c.before+out.Position+1, c.of, b.err.Error()))
}

// missing gives up what was waited for.
func (c *collection) missing(over *task.Failure) {
	if c.refused == c.waits {
		c.refused = over
	}
}

func (c *collection) warning() string { return strings.Join(c.warnings, "; ") }

// rawWith are the raw files of the answer, given those that were known before: what was not
// looked at this time lies there all the same, and a whole picture takes the place of its half.
func (c *collection) rawWith(before []task.RawFile) []task.RawFile {
	all := slices.Clone(c.raw)
	for _, k := range before {
		again := func(now task.RawFile) bool { return now.StorageKey == k.StorageKey }
		whole := func(r task.Result) bool { return r.Position == k.Position }
		if !slices.ContainsFunc(all, again) && !slices.ContainsFunc(c.results, whole) {
			all = append(all, k)
		}
	}
	return all
}
