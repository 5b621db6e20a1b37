// Package cli is what the commands of our programs have in common: answers for people and
// for programs, progress, arguments that are wrong, and exit codes.
package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/term"
)

// Output is the two streams of a command and what their readers can take.
// Answers go to stdout, everything else to stderr, so that answers can be piped.
type Output struct {
	Program        string // its name, which complaints begin with
	Stdout, Stderr io.Writer
	JSON           bool // for programs
	Terminal       bool // Stdout is one
	ErrTerminal    bool // Stderr is one
	Color          bool // Stdout shows colours
	ErrColor       bool
	Width          int // columns of the terminal; 0 if there is none
}

// NewOutput looks what the readers of the program's streams can take. env is as
// os.Environ returns it.
func NewOutput(program string, stdout, stderr io.Writer, env []string) *Output {
	o := &Output{Program: program, Stdout: stdout, Stderr: stderr, Terminal: IsTerminal(stdout), ErrTerminal: IsTerminal(stderr)}
	plain := slices.ContainsFunc(env, func(line string) bool {
		return line == "TERM=dumb" || strings.HasPrefix(line, "NO_COLOR=") && line != "NO_COLOR="
	})
	o.Color, o.ErrColor = o.Terminal && !plain, o.ErrTerminal && !plain
	o.Width = terminalWidth(stdout)
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

// IsTerminal reports whether a person sits at the other end of a stream.
func IsTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Answer prints value as JSON for programs, and otherwise what person writes.
func (o *Output) Answer(value any, person func(w io.Writer)) error {
	if o.JSON {
		return writeJSON(o.Stdout, value, "  ")
	}
	var b strings.Builder
	person(&b)
	_, err := io.WriteString(o.Stdout, b.String())
	return err
}

// Line prints one value of a stream of answers.
func (o *Output) Line(value any, person string) error {
	if o.JSON {
		return writeJSON(o.Stdout, value, "")
	}
	_, err := fmt.Fprintln(o.Stdout, person)
	return err
}

func writeJSON(w io.Writer, value any, indent string) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	return e.Encode(value)
}

// Say tells a person something that is no answer.
func (o *Output) Say(format string, args ...any) {
	if !o.JSON {
		fmt.Fprintln(o.Stderr, Clean(fmt.Sprintf(format, args...)))
	}
}

// Complain tells a person what did not work.
func (o *Output) Complain(sentence string) {
	fmt.Fprintln(o.Stderr, Paint(o.ErrColor, Red, o.Program+":")+" "+Clean(sentence))
}

// errorJSON tells a program what did not work.
func (o *Output) errorJSON(object any) {
	// Nothing is left to tell a reader about whom stderr is closed.
	_ = writeJSON(o.Stderr, object, "")
}

// Ink is a colour of the terminal.
type Ink string

const (
	Red    Ink = "31"
	Green  Ink = "32"
	Yellow Ink = "33"
	Cyan   Ink = "36"
	Grey   Ink = "90"
	Bold   Ink = "1"
)

// Paint colours s if on.
func Paint(on bool, c Ink, s string) string {
	if !on || s == "" {
		return s
	}
	return "\x1b[" + string(c) + "m" + s + "\x1b[0m"
}

// Heading stands over a part of an answer.
func (o *Output) Heading(s string) string { return Paint(o.Color, Bold, s) }

// Table returns a table without lines, as wide as the terminal at most.
func (o *Output) Table(header ...string) table.Writer {
	t := table.NewWriter()
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	style.Size.WidthMax = o.Width
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
