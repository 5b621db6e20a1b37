package web

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/easelqueue/easel/internal/human"
	"github.com/easelqueue/easel/task"
)

// stamp is a time for programs.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// cost is money where null is unknown and 0 is free.
func cost(micros *int64, currency string) string {
	switch {
	case micros == nil:
		return "unknown"
	case *micros == 0:
		return "free"
	}
	return human.Money(*micros, currency)
}

// link is address if a browser may follow it, else "". What rows hold can be
// any text, and a link to a javascript: or data: address would run it.
func link(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return ""
	}
	return address
}

// pictureAddress is where a picture is; one that is spelled out in a data URL is
// only named.
func pictureAddress(address string) string {
	head, _, ok := strings.Cut(address, ",")
	if ok && strings.HasPrefix(address, "data:") {
		return human.Shorten(head, 60) + " (" + human.Size(int64(len(address))) + ")"
	}
	return human.Shorten(address, 2000)
}

// standingOf is standing where it is known what the task waits for.
func standingOf(t *task.Task, why *why, now time.Time) string {
	switch {
	case why == nil || t.Status.Final():
		return standing(t, now)
	case t.Status == task.Processing && t.Progress > 0:
		return strconv.Itoa(t.Progress) + "%, " + why.Text()
	}
	return why.Text()
}

// brief is standingOf for a page that has the words of others elsewhere.
func brief(t *task.Task, why *why, now time.Time) string {
	if why == nil || t.Status.Final() || t.Status == task.Processing && t.Progress > 0 {
		return standing(t, now)
	}
	return why.Short()
}

// standing says in a few words why the task is where it is.
func standing(t *task.Task, now time.Time) string {
	switch {
	case t.OwnedByApp():
		return "managed by the app itself"
	case t.Status == task.Pending && t.RunAt.After(now):
		return "waits, due " + human.English.Ago(now, t.RunAt)
	case t.Status == task.Pending && t.PublishedAt == nil:
		return "not in the queue yet"
	case t.Status == task.Pending:
		return "waits for a worker"
	case t.Status == task.Processing && t.Progress > 0:
		return "being drawn, " + strconv.Itoa(t.Progress) + "%"
	case t.Status == task.Processing:
		return "being drawn"
	case t.Status == task.Completed && t.StartedAt != nil && t.CompletedAt != nil:
		return "done in " + human.English.Took(t.CompletedAt.Sub(*t.StartedAt))
	case t.Status == task.Failed && t.ErrorKind == task.Charged:
		return "failed, charged and given up"
	case t.Status == task.Failed:
		return "failed, waits for a decision"
	case t.Status == task.Cancelled:
		return "cancelled by a person"
	}
	return ""
}
