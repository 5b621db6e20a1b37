package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/term"
)

// report is what all parts have shown.
type report struct {
	OK    bool     `json:"ok"`
	Took  float64  `json:"took_seconds"`
	Parts []result `json:"parts"`
}

// most is how many failed cases of a part are listed for people; JSON has all.
const most = 20

func (r report) print(w io.Writer, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	t := table.NewWriter()
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	style.Format.Header = text.FormatUpper
	t.SetStyle(style)
	t.SuppressTrailingSpaces()
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 2, Align: text.AlignRight}, {Number: 3, Align: text.AlignRight}, {Number: 4, Align: text.AlignRight}})
	t.AppendHeader(table.Row{"part", "cases", "passed", "took", "verdict"})
	for _, p := range r.Parts {
		t.AppendRow(table.Row{p.Part, p.Cases, p.Passed, seconds(p.Took), p.verdict()})
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s\n", t.Render())
	for _, p := range r.Parts {
		p.complain(&b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r result) verdict() string {
	switch {
	case r.OK:
		return "holds"
	case r.Error != "" && r.Cases == r.Passed:
		return "NOT RUN"
	}
	return fmt.Sprintf("FAILED %d", r.Cases-r.Passed)
}

// complain says what of the part failed, and where to read on.
func (r result) complain(w io.Writer) {
	if r.OK {
		return
	}
	fmt.Fprintf(w, "\n%s:\n", r.Part)
	if r.Error != "" {
		fmt.Fprintf(w, "  %s\n", r.Error)
	}
	for i, name := range r.Failed {
		if i == most {
			fmt.Fprintf(w, "  and %d more\n", len(r.Failed)-most)
			break
		}
		fmt.Fprintf(w, "  %s\n", name)
	}
	if r.Log != "" {
		fmt.Fprintf(w, "  all it printed is in %s\n", r.Log)
	}
}

func seconds(n float64) time.Duration {
	return time.Duration(n * float64(time.Second)).Round(time.Second)
}

// progress says how far the work is: what has ended as lines, and on a terminal
// what is going on as a last line that changes.
type progress struct {
	out      io.Writer
	terminal bool
	width    int
}

func newProgress(w io.Writer) *progress {
	p := &progress{out: w}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.terminal = true
		p.width, _, _ = term.GetSize(int(f.Fd())) // 0 does not cut
	}
	return p
}

const clearLine = "\r\x1b[K"

func (p *progress) line(format string, args ...any) {
	if p.terminal {
		fmt.Fprint(p.out, clearLine)
	}
	fmt.Fprintf(p.out, format+"\n", args...)
}

func (p *progress) status(format string, args ...any) {
	if !p.terminal {
		return
	}
	s := fmt.Sprintf(format, args...)
	if p.width > 1 && len(s) >= p.width {
		s = s[:p.width-1]
	}
	fmt.Fprint(p.out, clearLine+s)
}
