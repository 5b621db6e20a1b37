package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
)

// confirm asks a person on a terminal. Without one, only --yes goes on: a
// script must say that it means it.
func (a *app) confirm(ctx context.Context, yes bool, question string) error {
	if yes {
		return nil
	}
	if !isTerminal(a.in) || !a.out.errTerminal || a.out.json {
		return usage("%s Nobody can be asked here: say --yes", clean(question))
	}
	fmt.Fprint(a.out.stderr, clean(question)+" [y/N] ")
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
