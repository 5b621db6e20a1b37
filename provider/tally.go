package provider

import (
	"bytes"
	"fmt"
)

// What is read of one answer beside its long texts. A tree takes memory by its values
// and not by its bytes: 40 MB of small numbers make one of a gigabyte.
const (
	// maxKept is in bytes. Answers have some kilobytes; what a ComfyUI tells of a run
	// repeats its workflow and may have a megabyte.
	maxKept = 8 << 20
	// maxValues counts names and values. Answers have some dozens, and the largest
	// workflows a hundred thousand. A tree of so many takes treeMemory at most.
	maxValues  = 1 << 18
	treeMemory = 64 << 20
	// maxNesting is how deep lists and objects may lie within each other; a workflow has
	// about ten levels. Reading takes time by the product of depth and length.
	maxNesting = 64
	// listFactor is how much more is read where a service lists what all who use it have
	// asked for: a ComfyUI repeats the workflow of each job that waits.
	listFactor = 4
)

// tally counts what stands outside of the texts of a JSON document, before a tree is
// made of it.
type tally struct{ values, depth, deepest int }

// count takes bytes that belong to no text.
func (t *tally) count(p []byte) {
	for _, c := range p {
		switch c {
		case ',', ':':
			t.values++
		case '[', '{':
			t.values++
			t.depth++
			t.deepest = max(t.deepest, t.depth)
		case ']', '}':
			t.depth--
		}
	}
}

// odd is an answer that is too large to be read.
type odd string

func (o odd) Error() string { return string(o) }

// fault returns an odd if an answer with that tally, of which kept bytes are in memory,
// is not to be read, and nil otherwise. Factor is listFactor or 1.
func (t *tally) fault(kept, factor int) error {
	switch {
	case t.values > maxValues*factor:
		return odd(fmt.Sprintf("the provider's answer holds more than the %d names and values that are read", maxValues*factor))
	case t.deepest > maxNesting:
		return odd(fmt.Sprintf("the provider's answer is nested deeper than the %d levels that are read", maxNesting))
	case kept > maxKept*factor:
		return odd(fmt.Sprintf("the provider's answer, without its long texts, is longer than the %d bytes that are read", maxKept*factor))
	}
	return nil
}

// readable is fault for a body that is in memory.
func readable(body []byte) error {
	var t tally
	for rest := body; len(rest) > 0; {
		from := bytes.IndexByte(rest, '"')
		if from < 0 {
			from = len(rest)
		}
		t.count(rest[:from])
		rest = rest[from:]
		if len(rest) > 0 {
			rest = rest[literalEnd(rest, 0):]
		}
	}
	return t.fault(len(body), 1)
}
