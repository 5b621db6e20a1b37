package cli

import (
	"time"

	"github.com/jedib0t/go-pretty/v6/progress"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Bar shows how far long work is: on a terminal as a bar, elsewhere as a line
// for each change, and not at all to programs.
type Bar interface {
	Set(done int, message string) // done of the total
	Say(sentence string)          // something that is no progress
	Stop()                        // leaves the terminal in order; may be called again
}

// Progress shows how far work of that title and total is. The caller stops it.
func (o *Output) Progress(title string, total int) Bar {
	switch {
	case o.JSON:
		return noBar{}
	case !o.ErrTerminal:
		return &lineBar{out: o, title: title}
	}
	return newTerminalBar(o, title, total)
}

type noBar struct{}

func (noBar) Set(int, string) {}
func (noBar) Say(string)      {}
func (noBar) Stop()           {}

// lineBar prints a line when the message changes.
type lineBar struct {
	out         *Output
	title, last string
}

func (b *lineBar) Set(_ int, message string) {
	if message != b.last {
		b.out.Say("%s: %s", b.title, message)
	}
	b.last = message
}

func (b *lineBar) Say(sentence string) { b.out.Say("%s", sentence) }
func (b *lineBar) Stop()               {}

type terminalBar struct {
	title   string
	total   int
	writer  progress.Writer
	tracker *progress.Tracker
	ended   chan struct{}
}

func newTerminalBar(o *Output, title string, total int) *terminalBar {
	b := &terminalBar{title: title, total: max(total, 1), writer: progress.NewWriter(), ended: make(chan struct{})}
	b.tracker = &progress.Tracker{Message: title, Total: int64(b.total), AutoStopDisabled: true}
	b.writer.SetOutputWriter(o.Stderr)
	b.writer.SetTerminalWidth(terminalWidth(o.Stderr))
	b.writer.SetUpdateFrequency(100 * time.Millisecond)
	b.writer.SetTrackerLength(20)
	style := progress.StyleBlocks
	style.Options.Separator, style.Options.DoneString = " ", " "
	style.Options.TimeInProgressPrecision, style.Options.TimeDonePrecision = time.Second, 100*time.Millisecond
	if o.ErrColor {
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

func (b *terminalBar) Set(done int, message string) {
	b.tracker.UpdateMessage(OneLine(b.title+": "+message, 80))
	b.tracker.SetValue(int64(done))
	if done >= b.total {
		b.tracker.MarkAsDone()
	}
}

func (b *terminalBar) Say(sentence string) { b.writer.Log("%s", Clean(sentence)) }

func (b *terminalBar) Stop() {
	for {
		b.writer.Stop() // does nothing until Render has begun, so once may not be enough
		select {
		case <-b.ended:
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}
