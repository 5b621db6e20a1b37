// Command easel is the queue from a shell: it runs workers, brings tasks to the
// queue, and says what became of them.
package main

import (
	"context"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/easelqueue/easel/internal/app"
	"github.com/easelqueue/easel/internal/cli"
	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/provider/all"
	"github.com/easelqueue/easel/store"
)

func main() { os.Exit(cli.Main(run)) }

// run is the whole program. It ends when the command has, or soon after ctx,
// and returns the exit code. It reads nothing of the process but its arguments
// and the working directory.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, env []string) int {
	app.Quiet()
	a := &program{env: env, in: stdin, out: &output{cli.NewOutput("easel", stdout, stderr, env)}}
	started, err := cli.Execute(ctx, a.root(), a.out.Output, stdin, args)
	return a.finish(ctx, started, err)
}

// program is one run of the program.
type program struct {
	env []string
	in  io.Reader
	out *output
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

func (a *program) root() *cobra.Command {
	root := cli.Group(&cobra.Command{Use: "easel COMMAND", Short: "A durable queue for image generation", Long: rootHelp, Example: rootExamples})
	root.SetFlagErrorFunc(flagError)
	// The line of use says already where a command of a group goes.
	root.SetUsageTemplate(strings.Replace(root.UsageTemplate(), "{{if .HasAvailableSubCommands}}\n  {{.CommandPath}} [command]{{end}}", "", 1))
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(a.enqueueCommand(), a.listCommand(), a.showCommand(), a.watchCommand(),
		a.retryCommand(), a.giveUpCommand(), a.cancelCommand(), a.dlqCommand(), a.deleteCommand(), a.picturesCommand(), a.providersCommand(), a.queuesCommand(),
		a.upCommand(), a.workerCommand(), a.demoCommand(), a.migrateCommand(), a.doctorCommand(), a.pingCommand(), versionCommand(a), environmentTopic())
	cli.CheckHelp(root)
	return root
}

// kinds are the services that easel speaks to. Only tests know more.
var kinds = all.Kinds

func kindOf(name string) provider.Kind {
	k, _ := kinds.Named(name)
	return k
}

// adapterNames lists the services for people.
func adapterNames() []string { return all.Kinds.Names() }

// open reads the configuration and opens a database that has easel's tables.
// The caller closes the store.
func (a *program) open(ctx context.Context) (config.Config, *store.Store, error) {
	cfg, err := config.Load(a.env, kinds)
	if err != nil {
		return cfg, nil, err
	}
	s, err := app.OpenDatabase(ctx, cfg)
	return cfg, s, err
}

// output is where the answers of easel go.
type output struct{ *cli.Output }

// flagError says what is wrong with a flag, and what to do.
func flagError(c *cobra.Command, err error) error {
	switch text := err.Error(); {
	case strings.HasPrefix(text, "unknown shorthand flag: ") && c.Name() == "enqueue":
		return cli.Usage("%s; a prompt that begins with - comes after --: easel enqueue -- \"-5 degrees\"", text)
	case text == "unknown flag: --version" && !c.HasParent():
		return cli.Usage("%s; `easel version` says it", text)
	case text == "unknown flag: --attempt" && c.Name() == "cancel":
		return cli.Usage("cancel takes no --attempt: it buys nothing, and holds for the task as it is, whatever call is under way")
	case strings.HasPrefix(text, "unknown") && c.Name() == "up":
		return cli.Usage("%s; the address of the pages is EASEL_LISTEN, and `easel help environment` lists all settings", text)
	}
	return cli.FlagError(c, err)
}
