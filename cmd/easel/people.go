package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/easelqueue/easel/internal/cli"
	"github.com/easelqueue/easel/internal/human"
	"github.com/easelqueue/easel/task"
	"github.com/easelqueue/easel/waiting"
)

// This file says how values look to people.

func statusColor(s task.Status) cli.Ink {
	switch s {
	case task.Completed:
		return cli.Green
	case task.Failed:
		return cli.Red
	case task.Processing:
		return cli.Cyan
	case task.Pending:
		return cli.Yellow
	}
	return cli.Grey
}

// moment is a time in the reader's own zone, and how far away it is.
func moment(t, now time.Time) string {
	far := human.English.Span(now.Sub(t))
	if !t.After(now) {
		far += " ago"
	}
	return local(t) + " (" + far + ")"
}

// local is a time in the reader's own zone, which it names.
func local(t time.Time) string { return t.Local().Format(time.DateTime + " MST") }

// money is empty where it is not known.
func money(micros *int64, currency string) string {
	if micros == nil {
		return ""
	}
	return human.Money(*micros, currency)
}

// pictureAddress is where a picture is: a data URL is named by its size, not spelled out.
func pictureAddress(url string) string {
	head, _, ok := strings.Cut(url, ",")
	if !strings.HasPrefix(url, "data:") || !ok {
		return url
	}
	return head + ",… (" + human.Size(int64(len(url))) + ")"
}

// brief is t for lists: pictures that are spelled out in the task are only named.
func brief(t task.Task) task.Task {
	t.HideUsers()
	t.InputImageURL = pictureAddress(t.InputImageURL)
	if len(t.ReferenceImages) > 4096 {
		t.ReferenceImages = fmt.Sprintf("[%q]", "… ("+human.Size(int64(len(t.ReferenceImages)))+")")
	}
	return t
}

// outcome says in a few words what came of the task or what it waits for; why may be nil.
func outcome(t *task.Task, why *waiting.Reason, now time.Time) string {
	switch {
	case t.OwnedByApp() && !t.Status.Final():
		return "managed by the app itself"
	case t.Status == task.Failed && t.ErrorMsg != "":
		return t.ErrorMsg
	case t.Status == task.Completed:
		return picturePath(t)
	case t.Status == task.Pending && t.RunAt.After(now):
		return "due " + human.English.Span(now.Sub(t.RunAt)) + because(t)
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
	return why.Sentence(human.English)
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
