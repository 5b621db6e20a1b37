//go:build unix

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// What processes take is read from /proc, which Linux alone has.

// tick is the unit of the times in /proc/PID/stat; it is the same on all machines.
const tick = 10 * time.Millisecond

// stat is what /proc/PID/stat says of a process.
type stat struct {
	parent   int
	own      time.Duration // on a processor
	children time.Duration // the same of its children that have ended
}

func statOf(pid int) (stat, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, err
	}
	// The second field is a name in brackets, which may hold anything.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	number := func(i int) int64 { // as proc(5) counts them, from 1
		n, _ := strconv.ParseInt(fields[i-3], 10, 64)
		return n
	}
	return stat{parent: int(number(4)), own: time.Duration(number(14)+number(15)) * tick, children: time.Duration(number(16)+number(17)) * tick}, nil
}

// spent is the processor time of a process.
func spent(pid int) (time.Duration, error) {
	s, err := statOf(pid)
	return s.own, err
}

// spentByAll is the processor time of a process and its children, of those that have ended too.
func spentByAll(pid int) (time.Duration, error) {
	s, err := statOf(pid)
	if err != nil {
		return 0, err
	}
	total := s.own + s.children
	for _, child := range childrenOf(pid) {
		if c, err := statOf(child); err == nil {
			total += c.own
		}
	}
	return total, nil
}

func childrenOf(pid int) (children []int) {
	paths, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil
	}
	for _, path := range paths {
		child, err := strconv.Atoi(filepath.Base(path))
		if err != nil {
			continue
		}
		if s, err := statOf(child); err == nil && s.parent == pid {
			children = append(children, child)
		}
	}
	return children
}

// mebibytes reads a size in kB from a file of /proc; 0 if it cannot be read.
func mebibytes(pid int, file, name string) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, found := strings.CutPrefix(line, name+":"); found {
			kB, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kB / 1024
		}
	}
	return 0
}

// highest is the most memory that the process has had; resident what it has now.
func highest(pid int) float64  { return mebibytes(pid, "status", "VmHWM") }
func resident(pid int) float64 { return mebibytes(pid, "status", "VmRSS") }

// shares is the memory of a process and its children, of which each page counts once.
func shares(pid int) float64 {
	total := mebibytes(pid, "smaps_rollup", "Pss")
	for _, child := range childrenOf(pid) {
		total += mebibytes(child, "smaps_rollup", "Pss")
	}
	return total
}
