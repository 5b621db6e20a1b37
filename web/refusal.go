package web

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/easelqueue/easel/store"
)

// refusal is an error for the reader of a page.
type refusal struct {
	Status int
	Title  string
	Text   string // full sentences: what is wrong and what to do
	Task   int64  // the task that it is about, to go back to; 0 if none
	Later  bool   // the same request may go through in a moment
}

func (e *refusal) Error() string { return e.Text }

var (
	errNoPage    = &refusal{Status: http.StatusNotFound, Title: "Nothing here", Text: "There is no page at this address."}
	errCrossSite = &refusal{Status: http.StatusForbidden, Title: "Refused",
		Text: "This request was sent by another site's page, so nothing was changed. Use the buttons on easel's own pages."}
	errHost = &refusal{Status: http.StatusMisdirectedRequest, Title: "Wrong address",
		Text: "This site does not answer to the name in the request. Open it under the host of EASEL_PUBLIC_URL."}
	errReadOnly = &refusal{Status: http.StatusForbidden, Title: "Read-only",
		Text: "This site is read-only: tasks are retried and cancelled from the command line here."}
)

func badRequest(format string, args ...any) error {
	return &refusal{Status: http.StatusBadRequest, Title: "Not understood", Text: fmt.Sprintf(format, args...)}
}

func badForm(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return &refusal{Status: http.StatusRequestEntityTooLarge, Title: "Too large",
			Text: fmt.Sprintf("The form is larger than the %d bytes that are accepted.", tooLarge.Limit)}
	}
	return badRequest("The form cannot be read. Go back and press the button again.")
}

func noTask(id int64) error {
	return &refusal{Status: http.StatusNotFound, Title: "No such task", Text: fmt.Sprintf("There is no task %d.", id)}
}

// refusalFor is what the reader sees of an error, and whether the operator must see it too.
func refusalFor(err error) (r *refusal, fault bool) {
	var unsure *store.Unsure
	var locked *store.Locked
	var network net.Error
	switch r := movedOn(err); {
	case r != nil:
		return r, false
	case errors.As(err, &r):
		return r, false
	case errors.As(err, &unsure):
		return &refusal{Status: http.StatusServiceUnavailable, Title: "Not known whether it was done", Later: true,
			Text: "The database has not said whether this was done, so it may have been. Open the page again, and look before you press the button once more."}, true
	case errors.As(err, &locked):
		return lockedBySomebody(locked), false
	case errors.Is(err, store.ErrNotFound):
		return &refusal{Status: http.StatusNotFound, Title: "No such task", Text: "There is no such task."}, false
	case errors.Is(err, context.Canceled):
		return &refusal{Status: http.StatusServiceUnavailable, Title: "Interrupted", Text: "The request was given up."}, false
	case errors.As(err, &network), errors.Is(err, driver.ErrBadConn), errors.Is(err, context.DeadlineExceeded):
		return &refusal{Status: http.StatusServiceUnavailable, Title: "The database is away", Later: true,
			Text: "The database does not answer, so nothing can be shown. Calls that are under way go on, and what they bring is kept until it is back. " +
				"Start the database, or see what easel doctor says on the machine of this site."}, true
	}
	return &refusal{Status: http.StatusInternalServerError, Title: "Out of order",
		Text: "This page cannot be made right now; the log of easel says why. Try again in a moment."}, true
}

// movedOn is what the reader sees of a word that does not fit its task any more; nil for other errors.
func movedOn(err error) *refusal {
	var notAllowed *store.NotAllowed
	var nothing *store.NothingPaid
	var known *store.NothingUnknown
	var since *store.HeardSince
	var told interface {
		ForPage() (task int64, title, text string)
	}
	conflict := func(id int64, format string, args ...any) *refusal {
		return &refusal{Status: http.StatusConflict, Title: "Not any more", Task: id, Text: fmt.Sprintf(format, args...)}
	}
	switch {
	case errors.As(err, &told):
		id, title, text := told.ForPage()
		return &refusal{Status: http.StatusConflict, Title: title, Task: id, Text: text}
	case errors.As(err, &notAllowed) && notAllowed.Moved && !notAllowed.OwnedByApp:
		return conflict(notAllowed.Task, "Task %d has moved on since the page was shown: %s. Nothing was changed. Look at it again.", notAllowed.Task, notAllowed.Since())
	case errors.As(err, &notAllowed):
		return conflict(notAllowed.Task, "Task %d is %s and cannot be %s: it has moved on since the page was shown. Look at it again.",
			notAllowed.Task, notAllowed.Status, notAllowed.Action)
	case errors.As(err, &nothing):
		return conflict(nothing.Task, "Task %d has no call that was paid for and not collected. Look at it again; Retry is enough.", nothing.Task)
	case errors.As(err, &since):
		return conflict(since.Task, "A call of task %d was heard of since the page was shown, and is collected. Nothing was changed. Look at it again.", since.Task)
	case errors.As(err, &known):
		return conflict(known.Task, "Task %d has no call whose outcome is unknown any more. Nothing was changed. Look at it again.", known.Task)
	}
	return nil
}

// lockedBySomebody is what the reader sees while somebody else has locked what he wants.
func lockedBySomebody(l *store.Locked) *refusal {
	later := &refusal{Status: http.StatusServiceUnavailable, Title: "Locked by somebody else", Later: true}
	switch {
	case l.File:
		later.Text = "Somebody else has been writing to the database's file for more than five seconds and has not ended. Nothing was changed, and nothing is lost. Open the page again when they have: an sqlite3 within BEGIN is the usual one."
	case l.Migrate:
		later.Text = fmt.Sprintf("The table %s is being brought to a new version. Nothing was changed, and nothing is lost. Open the page again in a moment.", l.Table)
	case l.Table != "":
		later.Text = fmt.Sprintf("Another transaction%s has held the table %s locked for more than five seconds. Nothing was changed, and nothing is lost. Open the page again when it has ended; pg_stat_activity shows what it does.", l.Process(), l.Table)
	case l.Unnamed:
		later.Text = "Another transaction has kept what this needs locked for more than five seconds. Nothing was changed, and nothing is lost. Open the page again in a moment; pg_stat_activity shows who is idle in transaction."
	default:
		return &refusal{Status: http.StatusConflict, Title: later.Title,
			Text: "Another transaction, of an app or of a person, has held the row of this task locked for five seconds, so nothing was changed. Go back and try again when it has ended."}
	}
	return later
}
