package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/term"
)

// output is the two streams of a command and what their readers can take.
// Answers go to stdout, everything else to stderr, so that answers can be piped.
type output struct {
	stdout, stderr io.Writer
	json           bool // for programs
	terminal       bool // stdout is one
	errTerminal    bool // stderr is one
	color          bool // stdout shows colours
	errColor       bool
	width          int // columns of the terminal; 0 if there is none
}

func newOutput(stdout, stderr io.Writer, env []string) *output {
	o := &output{stdout: stdout, stderr: stderr, terminal: isTerminal(stdout), errTerminal: isTerminal(stderr)}
	vars := variables(env)
	plain := vars["NO_COLOR"] != "" || vars["TERM"] == "dumb"
	o.color, o.errColor = o.terminal && !plain, o.errTerminal && !plain
	o.width = terminalWidth(stdout)
	return o
}

// terminalWidth is 0 for what is no terminal.
func terminalWidth(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// answer prints value as JSON for programs, and otherwise what person writes.
func (o *output) answer(value any, person func(w io.Writer)) error {
	if o.json {
		return writeJSON(o.stdout, value, "  ")
	}
	var b strings.Builder
	person(&b)
	_, err := io.WriteString(o.stdout, b.String())
	return err
}

// line prints one value of a stream of answers.
func (o *output) line(value any, person string) error {
	if o.json {
		return writeJSON(o.stdout, value, "")
	}
	_, err := fmt.Fprintln(o.stdout, person)
	return err
}

func writeJSON(w io.Writer, value any, indent string) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	return e.Encode(value)
}

// say tells a person something that is no answer.
func (o *output) say(format string, args ...any) {
	if !o.json {
		fmt.Fprintln(o.stderr, clean(fmt.Sprintf(format, args...)))
	}
}

func (o *output) complain(sentence string) {
	fmt.Fprintln(o.stderr, paint(o.errColor, red, "easel:")+" "+clean(sentence))
}

func (o *output) errorJSON(object any) {
	// Nothing is left to tell a reader about whom stderr is closed.
	_ = writeJSON(o.stderr, object, "")
}

type ink string

const (
	red    ink = "31"
	green  ink = "32"
	yellow ink = "33"
	cyan   ink = "36"
	grey   ink = "90"
	bold   ink = "1"
)

func paint(on bool, c ink, s string) string {
	if !on || s == "" {
		return s
	}
	return "\x1b[" + string(c) + "m" + s + "\x1b[0m"
}

// table returns a table without lines, as wide as the terminal at most.
func (o *output) table(header ...string) table.Writer {
	t := table.NewWriter()
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	style.Size.WidthMax = o.width
	style.Format.Header = text.FormatUpper
	t.SetStyle(style)
	t.SuppressTrailingSpaces()
	row := make(table.Row, len(header))
	for i, h := range header {
		row[i] = h
	}
	if len(row) > 0 {
		t.AppendHeader(row)
	}
	return t
}
