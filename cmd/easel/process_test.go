package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/easelqueue/easel/internal/app"
	"github.com/easelqueue/easel/internal/cli"
	"github.com/easelqueue/easel/internal/fakeprovider"
	"github.com/easelqueue/easel/internal/servertest"
	"github.com/easelqueue/easel/provider/all"
)

// asProgram makes a test binary be easel, so that tests can start, stop and kill
// real processes of what they test.
const asProgram = "TEST_RUN_AS_EASEL"

// withLease makes its leases shorter, so that five of them are soon over.
const withLease = "TEST_LEASE"

func TestMain(m *testing.M) {
	app.Quiet()
	kinds = append(slices.Clone(all.Kinds), fakeprovider.Kind)
	if os.Getenv(asProgram) != "" {
		if d, err := time.ParseDuration(os.Getenv(withLease)); err == nil {
			lease = d
		}
		os.Exit(cli.Main(run))
	}
	servertest.AtOnce(8)
	servertest.NothingStays(m, removeBuilds)
}

// binary is this test binary, built once, with the race detector or without it.
type binary struct {
	race    bool
	once    sync.Once
	folder  string
	program string
	err     error
}

// Tests start easel without the race detector, which makes each of hundreds of short
// processes five times as slow. Those that are about what goes on at once in one
// process start it with the detector: see testSite.raced.
var plain, raced = binary{}, binary{race: true}

func (b *binary) get(t testing.TB) string {
	t.Helper()
	if b.race == servertest.UnderRace() {
		return os.Args[0]
	}
	b.once.Do(func() {
		if b.folder, b.err = os.MkdirTemp("", "easel-program-"); b.err != nil {
			return
		}
		b.program = filepath.Join(b.folder, "easel")
		out, err := exec.Command("go", "test", "-c", fmt.Sprintf("-race=%t", b.race), "-gcflags=modernc.org/sqlite/lib=-race=false", "-gcflags=github.com/yuin/gopher-lua/...=-race=false", "-ldflags", "-s -w", "-o", b.program, ".").CombinedOutput()
		if err != nil {
			b.err = fmt.Errorf("%w\n%s", err, out)
		}
	})
	if b.err != nil {
		t.Fatal(b.err)
	}
	return b.program
}

func removeBuilds() {
	_ = os.RemoveAll(plain.folder) // of "" it removes nothing
	_ = os.RemoveAll(raced.folder)
}
