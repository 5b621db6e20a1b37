package cli

import (
	"context"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/spf13/cobra"
)

// Main runs a program on this process's streams and arguments and returns its exit code.
// The first interrupt ends its context, the second the process at once.
func Main(run func(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, env []string) int) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Environ())
}

// Execute runs a program's commands with these arguments, and with --json as a flag of all
// of them. started says that the arguments were understood and a command has begun.
func Execute(ctx context.Context, root *cobra.Command, o *Output, stdin io.Reader, args []string) (started bool, err error) {
	o.JSON = slices.Contains(args, "--json") // until the flags are parsed, for mistakes in them
	root.PersistentFlags().BoolVar(&o.JSON, "json", o.JSON, "print JSON for programs")
	root.PersistentPreRun = func(*cobra.Command, []string) { started = true }
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(o.Stdout)
	root.SetErr(o.Stderr)
	refused := refuseUnknown(root)
	if err = root.ExecuteContext(ctx); err == nil {
		err = refused()
	}
	return started, err
}
