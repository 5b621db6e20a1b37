package main

import (
	"time"

	"github.com/jedib0t/go-pretty/v6/progress"
	"github.com/jedib0t/go-pretty/v6/text"
)

// bar shows how far long work is: on a terminal as a bar, elsewhere as a line
// for each change, and not at all to programs.
type bar interface {
	set(done int, message string) // done of the total
	say(sentence string)          // something that is no progress
	stop()                        // leaves the terminal in order; may be called again
}

func (o *output) progress(title string, total int) bar {
	switch {
	case o.json:
		return noBar{}
	case !o.errTerminal:
		return &lineBar{out: o, title: title}
	}
	return newTerminalBar(o, title, total)
}

type noBar struct{}

func (noBar) set(int, string) {}
func (noBar) say(string)      {}
func (noBar) stop()           {}

// lineBar prints a line when the message changes.
type lineBar struct {
	out         *output
	title, last string
}

func (b *lineBar) set(_ int, message string) {
	if message != b.last {
		b.out.say("%s: %s", b.title, message)
	}
	b.last = message
}

func (b *lineBar) say(sentence string) { b.out.say("%s", sentence) }
func (b *lineBar) stop()               {}

type terminalBar struct {
	title   string
	total   int
	writer  progress.Writer
	tracker *progress.Tracker
	ended   chan struct{}
}

func newTerminalBar(o *output, title string, total int) *terminalBar {
	b := &terminalBar{title: title, total: max(total, 1), writer: progress.NewWriter(), ended: make(chan struct{})}
	b.tracker = &progress.Tracker{Message: title, Total: int64(b.total), AutoStopDisabled: true}
	b.writer.SetOutputWriter(o.stderr)
	b.writer.SetTerminalWidth(terminalWidth(o.stderr))
	b.writer.SetUpdateFrequency(100 * time.Millisecond)
	b.writer.SetTrackerLength(20)
	style := progress.StyleBlocks
	style.Options.Separator, style.Options.DoneString = " ", " "
	style.Options.TimeInProgressPrecision, style.Options.TimeDonePrecision = time.Second, 100*time.Millisecond
	if o.errColor {
		style.Colors = progress.StyleColors{Tracker: text.Colors{text.FgCyan}, Time: text.Colors{text.FgHiBlack}}
	}
	style.Visibility = progress.StyleVisibility{Percentage: true, Time: true, Tracker: true}
	b.writer.SetStyle(style)
	b.writer.AppendTracker(b.tracker)
	go func() {
		b.writer.Render()
		close(b.ended)
	}()
	return b
}

func (b *terminalBar) set(done int, message string) {
	b.tracker.UpdateMessage(oneLine(b.title+": "+message, 80))
	b.tracker.SetValue(int64(done))
	if done >= b.total {
		b.tracker.MarkAsDone()
	}
}

func (b *terminalBar) say(sentence string) { b.writer.Log("%s", clean(sentence)) }

func (b *terminalBar) stop() {
	for {
		b.writer.Stop() // does nothing until Render has begun, so once may not be enough
		select {
		case <-b.ended:
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}
