// Command easel is the queue from a shell: it runs workers, brings tasks to the
// queue, and says what became of them.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"
)

func main() {
	redis.SetLogger(silent{})
	os.Exit(runMain())
}

// silent takes the lines that go-redis prints by itself about connections that
// fail; whoever makes the call gets the error.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

func runMain() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // the second signal ends the process at once
	return run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Environ())
}

// run is the whole program. It ends when the command has, or soon after ctx,
// and returns the exit code. It reads nothing of the process but its arguments
// and the working directory.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, env []string) int {
	a := &app{env: env, in: stdin, out: newOutput(stdout, stderr, env)}
	a.out.json = slices.Contains(args, "--json") // until the flags are parsed, for mistakes in them
	root := a.root()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return a.finish(ctx, root.ExecuteContext(ctx))
}

// app is one run of the program.
type app struct {
	env     []string
	in      io.Reader
	out     *output
	started bool // the arguments were understood and a command has begun
}

const rootHelp = `easel is a durable queue for image generation: a task is a row in a database,
workers turn it into stored pictures or into a reason why not.

Exit codes: 0 done; 1 it did not work; 2 wrong arguments, configuration or request;
3 the task ended failed or cancelled (enqueue --wait, watch ID); 130 interrupted.`

const rootExamples = `  easel up                                        everything in one process
  easel enqueue "a red fox in the snow" --wait    one picture, and its path
  easel list --status failed                      what went wrong
  easel show 42                                   the whole story of one task
  easel doctor                                    is this machine ready?`

func (a *app) root() *cobra.Command {
	root := group(&cobra.Command{Use: "easel COMMAND", Short: "A durable queue for image generation", Long: rootHelp, Example: rootExamples})
	root.SetFlagErrorFunc(flagError)
	// The line of use says already where a command of a group goes.
	root.SetUsageTemplate(strings.Replace(root.UsageTemplate(), "{{if .HasAvailableSubCommands}}\n  {{.CommandPath}} [command]{{end}}", "", 1))
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.HiddenDefaultCmd = true
	root.PersistentFlags().BoolVar(&a.out.json, "json", a.out.json, "print JSON for programs")
	root.PersistentPreRun = func(*cobra.Command, []string) { a.started = true }
	root.AddCommand(a.enqueueCommand(), a.listCommand(), a.showCommand(), a.watchCommand(),
		a.retryCommand(), a.giveUpCommand(), a.cancelCommand(), a.dlqCommand(), a.deleteCommand(), a.picturesCommand(), a.providersCommand(), a.queuesCommand(),
		a.upCommand(), a.workerCommand(), a.demoCommand(), a.migrateCommand(), a.selftestCommand(), a.doctorCommand(), a.pingCommand(), versionCommand(a), environmentTopic())
	return root
}

// group makes c a command that only holds others: alone it shows its help, and
// it refuses a name that it does not hold.
func group(c *cobra.Command) *cobra.Command {
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		return unknownCommand(c, args[0])
	}
	c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	return c
}
