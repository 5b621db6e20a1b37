package request

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/easelqueue/easel/internal/human"
	"github.com/easelqueue/easel/task"
)

// MaxLine is the length of the longest line of a file, in bytes: a task with one
// spelled-out picture.
const MaxLine = task.MaxURL + 4<<20

// maxMistakes is how many mistakes of a file are shown at once.
const maxMistakes = 20

// File is a file of tasks in JSON Lines. It is read twice: nothing is stored unless all
// of it is right.
type File struct {
	Path string
	From int        // the first line that counts, from 1 on
	Base *task.Task // what a line does not say
}

// Unreadable says why a file cannot be read as lines.
type Unreadable struct{ text string }

func (e *Unreadable) Error() string { return e.text }

func unreadable(format string, args ...any) error { return &Unreadable{fmt.Sprintf(format, args...)} }

// Each calls f for every task with its line's number and length in bytes, or with what is
// wrong with the line. It returns f's first error, or an *Unreadable.
func (l *File) Each(f func(n, size int, t *task.Task, err error) error) error {
	file, err := os.Open(l.Path)
	if err != nil {
		return unreadable("cannot be read: %v", err)
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return unreadable("%s is not a regular file; it is read twice", human.Quoted(l.Path))
	}
	scanner := bufio.NewScanner(file)
	scanner.Buffer(nil, MaxLine)
	n := 0
	for scanner.Scan() {
		n++
		if n < l.From || strings.TrimSpace(scanner.Text()) == "" {
			continue
		}
		t, err := Parse(scanner.Bytes(), l.Base)
		if err := f(n, len(scanner.Bytes()), t, err); err != nil {
			return err
		}
	}
	if errors.Is(scanner.Err(), bufio.ErrTooLong) {
		return unreadable("%s: the line is longer than %d bytes", l.Line(n+1), MaxLine)
	}
	return scanner.Err()
}

// Line is how people are told of line n.
func (l *File) Line(n int) string { return fmt.Sprintf("%s:%d", filepath.Base(l.Path), n) }

// Check reads the whole file and asks check about each task. It returns how many tasks
// there are and the first twenty mistakes, each a sentence that begins with its line.
func (l *File) Check(check func(*task.Task) error) (count int, mistakes []string, err error) {
	err = l.Each(func(n, _ int, t *task.Task, err error) error {
		count++
		if err == nil {
			err = check(t)
		}
		if err != nil && len(mistakes) < maxMistakes {
			mistakes = append(mistakes, fmt.Sprintf("%s: %v", l.Line(n), err))
		}
		return nil
	})
	return count, mistakes, err
}
