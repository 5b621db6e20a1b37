package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/easelqueue/easel/internal/cli"
)

// confirm asks a person on a terminal. Without one, only --yes goes on: a
// script must say that it means it.
func (a *program) confirm(ctx context.Context, yes bool, question string) error {
	if yes {
		return nil
	}
	if !cli.IsTerminal(a.in) || !a.out.ErrTerminal || a.out.JSON {
		return cli.Usage("%s Nobody can be asked here: say --yes", cli.Clean(question))
	}
	fmt.Fprint(a.out.Stderr, cli.Clean(question)+" [y/N] ")
	answer := make(chan string, 1)
	go func() {
		// It ends with the process if nobody answers: a read of a terminal cannot be called off.
		text, _ := bufio.NewReader(a.in).ReadString('\n')
		answer <- strings.ToLower(strings.TrimSpace(text))
	}()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case text := <-answer:
		if text == "y" || text == "yes" {
			return nil
		}
		return errors.New("nothing was done")
	}
}
