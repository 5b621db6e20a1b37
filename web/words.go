package web

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/easelqueue/easel/task"
)

// ago is how far t lies behind now, or before it, in one unit.
func ago(now, t time.Time) string {
	d := now.Sub(t)
	switch {
	case d < -time.Second:
		return "in " + span(-d)
	case d < 5*time.Second:
		return "just now"
	}
	return span(d) + " ago"
}

// lasted is how long it is from then to at.
func lasted(at, then time.Time) string { return span(max(at.Sub(then), 0)) }

func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return strconv.Itoa(int(d/time.Second)) + "s"
	case d < time.Hour:
		return strconv.Itoa(int(d/time.Minute)) + "m"
	case d < 48*time.Hour:
		return strconv.Itoa(int(d/time.Hour)) + "h"
	}
	return strconv.Itoa(int(d/(24*time.Hour))) + "d"
}

// clock is a time for people: the script of the page adds the reader's own zone.
func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// stamp is a time for programs.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// took is a duration without more digits than mean something.
func took(d time.Duration) string {
	switch {
	case d < 0:
		return "0s" // two clocks that disagree
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

// money writes millionths as a decimal, with two decimals or as many as it has.
func money(micros int64, currency string) string {
	sign, n := "", uint64(micros)
	if micros < 0 {
		sign, n = "-", -n
	}
	decimals := strings.TrimRight(fmt.Sprintf("%06d", n%1_000_000), "0")
	for len(decimals) < 2 {
		decimals += "0"
	}
	return strings.TrimSpace(fmt.Sprintf("%s%d.%s %s", sign, n/1_000_000, decimals, currency))
}

// cost is money where null is unknown and 0 is free.
func cost(micros *int64, currency string) string {
	switch {
	case micros == nil:
		return "unknown"
	case *micros == 0:
		return "free"
	}
	return money(*micros, currency)
}

// size is a number of bytes in the unit that suits it.
func size(n int64) string {
	if n < 1000 {
		return strconv.FormatInt(max(n, 0), 10) + " B"
	}
	amount, unit := float64(n)/1000, 0
	for amount >= 999.5 && unit < 3 {
		amount, unit = amount/1000, unit+1
	}
	digits := 0
	if amount < 9.95 {
		digits = 1
	}
	return strconv.FormatFloat(amount, 'f', digits, 64) + []string{" kB", " MB", " GB", " TB"}[unit]
}

// shorten cuts text to at most n characters, and shows that it did.
func shorten(text string, n int) string {
	if len(text) <= n || utf8.RuneCountInString(text) <= n {
		return text
	}
	seen := 0
	for i := range text {
		if seen++; seen == n {
			return text[:i] + "…"
		}
	}
	return text
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

// input is the address of a picture; one that is spelled out in a data URL is
// only named.
func input(address string) string {
	head, _, ok := strings.Cut(address, ",")
	if ok && strings.HasPrefix(address, "data:") {
		return shorten(head, 60) + " (" + size(int64(len(address))) + ")"
	}
	return shorten(address, 2000)
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
	case t.Kept():
		return "managed by the app itself"
	case t.Status == task.Pending && t.RunAt.After(now):
		return "waits, due " + ago(now, t.RunAt)
	case t.Status == task.Pending && t.PublishedAt == nil:
		return "not in the queue yet"
	case t.Status == task.Pending:
		return "waits for a worker"
	case t.Status == task.Processing && t.Progress > 0:
		return "being drawn, " + strconv.Itoa(t.Progress) + "%"
	case t.Status == task.Processing:
		return "being drawn"
	case t.Status == task.Completed && t.StartedAt != nil && t.CompletedAt != nil:
		return "done in " + took(t.CompletedAt.Sub(*t.StartedAt))
	case t.Status == task.Failed:
		return "failed, waits for a decision"
	case t.Status == task.Cancelled:
		return "cancelled by a person"
	}
	return ""
}
