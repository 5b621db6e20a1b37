package cli

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/easelqueue/easel/internal/human"
)

// Many is more arguments than a shell takes.
const Many = 1 << 30

// Takes is how many arguments a command takes. What they are is the second word of its Use.
func Takes(least, most int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		_, what, _ := strings.Cut(c.Use, " ")
		what = strings.Trim(what, "[].")
		switch help := "; see `" + c.CommandPath() + " --help`"; {
		case len(args) < least:
			return Usage("the %s is missing%s", what, help)
		case len(args) <= most:
			return nil
		case c.HasSubCommands():
			return unknownCommand(c, args[0])
		case most == 0:
			return Usage("%s is too much: `%s` takes flags only%s", human.Quoted(args[0]), c.CommandPath(), help)
		default:
			return Usage("%s is too much: `%s` takes one %s%s", human.Quoted(args[most]), c.CommandPath(), what, help)
		}
	}
}

// unknownCommand refuses a name that c does not hold.
func unknownCommand(c *cobra.Command, name string) error {
	accepted := "see `" + c.CommandPath() + " --help`"
	var names []string
	holder := c
	if c.Name() == "help" && c.HasParent() {
		holder = c.Parent()
	}
	for _, sub := range holder.Commands() {
		names = append(names, sub.Name())
	}
	if near := human.Nearest(name, names); near != "" {
		accepted = "did you mean " + c.CommandPath() + " " + near + "?"
	}
	return Usage("command %s is not known; %s", human.Quoted(name), accepted)
}

// CheckHelp lets `help NAME` refuse a name that root does not hold.
func CheckHelp(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	for _, c := range root.Commands() {
		if c.Name() != "help" {
			continue
		}
		c.Run, c.RunE = nil, func(c *cobra.Command, args []string) error {
			found, rest, err := root.Find(args)
			if err == nil && len(rest) == 0 {
				return found.Help()
			}
			return unknownCommand(c, args[len(args)-max(len(rest), 1)])
		}
	}
}

// refuseUnknown lets --help behind a name that a command does not hold refuse it. The answer is
// what was refused; nil if nothing.
func refuseUnknown(root *cobra.Command) (refused func() error) {
	var wrong error
	help := root.HelpFunc()
	root.SetHelpFunc(func(c *cobra.Command, args []string) {
		if names := c.Flags().Args(); c.HasSubCommands() && len(names) > 0 {
			wrong = unknownCommand(c, names[0])
			return
		}
		help(c, args)
	})
	return func() error { return wrong }
}

// accepts is what the flags of a type take whose own errors are those of strconv and time.
var accepts = map[string]string{
	"bool": "true and false", "duration": "durations such as 90m", "float64": "numbers",
	"int": "whole numbers", "int64": "whole numbers", "uint": "whole numbers from 0 on", "uint64": "whole numbers from 0 on",
}

// FlagError says what is wrong with a flag, and what to do. cobra's errors are known by
// their text alone.
func FlagError(c *cobra.Command, err error) error {
	text, help := err.Error(), "; see `"+c.CommandPath()+" --help`"
	if strings.HasPrefix(text, "invalid argument ") {
		name, value, found := flagValue(text)
		if f := c.Flags().Lookup(name); found && f != nil && accepts[f.Value.Type()] != "" {
			return Usage("--%s is %s; accepted are %s", name, value, accepts[f.Value.Type()]+bounds(f.Value.Type(), text))
		}
	}
	if name, found := strings.CutPrefix(text, "unknown flag: --"); found {
		if near := human.Nearest(name, flags(c)); near != "" {
			help = "; did you mean --" + near + "?"
		}
	}
	return Usage("%s%s", text, help)
}

// bounds are those of a flag's type, for a number that is beyond them.
func bounds(kind, text string) string {
	switch {
	case !strings.Contains(text, strconv.ErrRange.Error()):
		return ""
	case kind == "float64":
		return fmt.Sprintf(" from %.2g to %.2g", -math.MaxFloat64, math.MaxFloat64)
	case strings.HasPrefix(kind, "uint"):
		return fmt.Sprintf(", at most %d", uint64(math.MaxUint64))
	}
	return fmt.Sprintf(" from %d to %d", math.MinInt64, math.MaxInt64)
}

// flags are the names of those that c takes.
func flags(c *cobra.Command) (names []string) {
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	return names
}

// flagValue reads the flag and its value, as pflag quotes it, out of pflag's sentence about them.
func flagValue(text string) (name, value string, found bool) {
	value, rest, _ := strings.Cut(strings.TrimPrefix(text, "invalid argument "), ` for "`)
	rest, _, _ = strings.Cut(rest, `" flag: `)
	_, name, found = strings.Cut(rest, "--")
	return name, human.Shorten(value, 80), found
}

// Group makes c a command that only holds others: alone it shows its help, and
// it refuses a name that it does not hold.
func Group(c *cobra.Command) *cobra.Command {
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		return unknownCommand(c, args[0])
	}
	c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	return c
}
