package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/easelqueue/easel/task"
	"github.com/easelqueue/easel/waiting"
)

// This file says how values look to people.

func statusColor(s task.Status) ink {
	switch s {
	case task.Completed:
		return green
	case task.Failed:
		return red
	case task.Processing:
		return cyan
	case task.Pending:
		return yellow
	}
	return grey
}

// age is how long ago, in one unit.
func age(d time.Duration) string {
	switch {
	case d < 0:
		return "in " + age(-d)
	case d < time.Minute:
		return strconv.Itoa(int(d/time.Second)) + "s"
	case d < time.Hour:
		return strconv.Itoa(int(d/time.Minute)) + "m"
	case d < 48*time.Hour:
		return strconv.Itoa(int(d/time.Hour)) + "h"
	}
	return strconv.Itoa(int(d/(24*time.Hour))) + "d"
}

// moment is a time in the reader's own zone, and how far away it is.
func moment(t, now time.Time) string {
	far := age(now.Sub(t))
	if !t.After(now) {
		far += " ago"
	}
	return t.Local().Format(time.DateTime) + " (" + far + ")"
}

// took is a duration without more digits than mean something.
func took(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return d.Round(100 * time.Microsecond).String()
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	}
	return plainDuration(d.Round(time.Second))
}

// money writes millionths as a decimal, without trailing zeros after the second decimal.
func money(micros *int64, currency string) string {
	if micros == nil {
		return ""
	}
	sign, n := "", *micros
	if n < 0 {
		sign, n = "-", -n
	}
	decimals := strings.TrimRight(fmt.Sprintf("%06d", n%1_000_000), "0")
	for len(decimals) < 2 {
		decimals += "0"
	}
	return strings.TrimSpace(fmt.Sprintf("%s%d.%s %s", sign, n/1_000_000, decimals, currency))
}

// address of a picture: a data URL is named by its size, not spelled out.
func pictureAddress(url string) string {
	head, _, ok := strings.Cut(url, ",")
	if !strings.HasPrefix(url, "data:") || !ok {
		return url
	}
	return head + ",… (" + humanize.Bytes(uint64(len(url))) + ")"
}

// brief is t for lists: pictures that are spelled out in the task are only named.
func brief(t task.Task) task.Task {
	t.InputImageURL = pictureAddress(t.InputImageURL)
	if len(t.ReferenceImages) > 4096 {
		t.ReferenceImages = fmt.Sprintf("[%q]", "… ("+humanize.Bytes(uint64(len(t.ReferenceImages)))+")")
	}
	return t
}

// outcome says in a few words what came of the task or what it waits for; why may be nil.
func outcome(t *task.Task, why *waiting.Reason, now time.Time) string {
	switch {
	case t.Kept() && !t.Status.Final():
		return "managed by the app itself"
	case t.Status == task.Failed && t.ErrorMsg != "":
		return t.ErrorMsg
	case t.Status == task.Completed:
		return picturePath(t)
	case t.Status == task.Pending && t.RunAt.After(now):
		return "due in " + age(t.RunAt.Sub(now)) + because(t)
	case t.Status == task.Processing && t.Progress > 0:
		return strings.TrimSuffix(strconv.Itoa(t.Progress)+"%, "+sentenceOf(why), ", ")
	case !t.Status.Final():
		return sentenceOf(why)
	}
	return ""
}

// sentenceOf is empty where it is not known what a task waits for.
func sentenceOf(why *waiting.Reason) string {
	if why == nil {
		return ""
	}
	return why.Sentence(waiting.English)
}

func because(t *task.Task) string {
	if t.ErrorMsg == "" {
		return ""
	}
	return ": " + t.ErrorMsg
}

// picturePath is where a person finds the first picture.
func picturePath(t *task.Task) string {
	for _, place := range []string{t.LocalPath, t.ImageURL, t.MinioURL} {
		if place != "" {
			return place
		}
	}
	return ""
}
