// Command easel-selftest attacks a throwaway easel and says whether it keeps its promises.
// It is also each process of that easel: a worker that knows the service which bills, a
// producer, and that service.
package main

import (
	"context"
	"io"
	"os"
	"slices"

	"github.com/easelqueue/easel/internal/app"
	"github.com/easelqueue/easel/internal/cli"
	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/internal/fakeprovider"
	"github.com/easelqueue/easel/provider/all"
)

// kinds are the services that the workers speak to.
var kinds = append(slices.Clone(all.Kinds), fakeprovider.Kind)

func main() { os.Exit(cli.Main(run)) }

// run is the whole program. It ends when the command has, or soon after ctx, and returns
// the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, env []string) int {
	app.Quiet()
	a := &program{env: env, out: cli.NewOutput("easel-selftest", stdout, stderr, env)}
	started, err := cli.Execute(ctx, a.root(), a.out, stdin, args)
	code := cli.Code(ctx, started, err)
	if err != nil {
		a.out.Finish(ctx, err, err.Error(), cli.Problem{Message: err.Error(), Exit: code})
	}
	return code
}

// program is one run of it.
type program struct {
	env []string
	out *cli.Output
}

func (a *program) logTo() app.LogTo {
	return app.LogTo{Writer: a.out.Stderr, Terminal: a.out.ErrTerminal, Color: a.out.ErrColor}
}

// with wires an easel and runs work with it.
func (a *program) with(ctx context.Context, migrate bool, work func(context.Context, *app.App) error) error {
	cfg, err := config.Load(a.env, kinds)
	if err != nil {
		return err
	}
	return app.With(ctx, cfg, a.env, a.logTo(), migrate, work)
}
