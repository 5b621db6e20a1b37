//go:build unix

package throwaway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

var errNoPostgres = errors.New("PostgreSQL's initdb and postgres were not found: install them with `apt-get install -y postgresql`")

// Postgres starts a new PostgreSQL. Anybody on this machine may log in as the
// superuser "easel" without a password. When we are root the server runs as the
// user postgres, since it refuses to be root. ctx bounds only the start.
func Postgres(ctx context.Context, o Options) (*Server, error) {
	bin, err := postgresBin(ctx)
	if err != nil {
		return nil, err
	}
	as, err := postgresUser()
	if err != nil {
		return nil, err
	}
	lib := ""
	if o.Clock {
		if lib, err = fakeClock(); err != nil {
			return nil, err
		}
	}
	p := postgresPrograms{bin: bin, as: as, kept: o.Kept}
	r := recipe{
		name:    "postgres",
		orderly: syscall.SIGINT, // "fast": ends sessions, writes a checkpoint
		quick:   syscall.SIGQUIT,
		ready:   postgresReady,
		url: func(port int) string {
			return fmt.Sprintf("postgres://easel@127.0.0.1:%d/postgres?sslmode=disable", port)
		},
		command: func(dir string, port int) *exec.Cmd {
			cmd := p.command(context.Background(), "postgres", postgresArgs(o, dir, port)...)
			cmd.Dir = dir
			if o.Clock {
				cmd.Env = append(cmd.Env, clockEnv(lib, dir)...)
			}
			return cmd
		},
	}
	return begin(ctx, r, p.prepare)
}

// postgresPrograms are the programs in bin, run as another user unless as is nil.
type postgresPrograms struct {
	bin  string
	as   *syscall.Credential
	kept string // see Options.Kept
}

func (p postgresPrograms) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(p.bin, name), args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.as}
	return cmd
}

// prepare makes dir the folder of a new server.
func (p postgresPrograms) prepare(ctx context.Context, dir string) error {
	if p.as != nil {
		if err := os.Chown(dir, int(p.as.Uid), int(p.as.Gid)); err != nil {
			return err
		}
	}
	if err := os.WriteFile(clockFile(dir), []byte("+0\n"), 0o644); err != nil {
		return err
	}
	return p.cluster(ctx, dir)
}

var initdbArgs = []string{"--username=easel", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"}

// initialise makes a new cluster in dir.
func (p postgresPrograms) initialise(ctx context.Context, dir string) error {
	cmd := p.command(ctx, "initdb", append(initdbArgs, "--pgdata="+dataDir(dir))...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

func dataDir(dir string) string { return filepath.Join(dir, "data") }

// postgresArgs keeps synchronous_commit on, so that what was committed survives
// Kill; only a machine that dies would lose what fsync did not write.
func postgresArgs(o Options, dir string, port int) []string {
	settings := map[string]string{
		"port":                       strconv.Itoa(port),
		"listen_addresses":           "127.0.0.1",
		"unix_socket_directories":    "",     // a path in a deep temp folder would be too long
		"dynamic_shared_memory_type": "mmap", // in the folder, so that it goes with it
		"timezone":                   "UTC",
		"fsync":                      onOff(o.Durable),
	}
	maps.Copy(settings, o.Settings)
	args := []string{"-D", dataDir(dir)}
	for _, k := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "-c", k+"="+settings[k])
	}
	return args
}

func onOff(b bool) string {
	if b {
		return "on"
	}
	return "off"
}

// postgresReady reads postmaster.pid, whose first line is the process and whose
// eighth its state. Unlike a connection it can't be answered by another server.
func postgresReady(dir string, _, pid int) bool {
	b, err := os.ReadFile(filepath.Join(dataDir(dir), "postmaster.pid"))
	if err != nil {
		return false
	}
	lines := strings.Split(string(b), "\n")
	return len(lines) >= 8 && lines[0] == strconv.Itoa(pid) && strings.TrimSpace(lines[7]) == "ready"
}

// postgresBin is the folder of initdb and postgres: on the PATH, as pg_config
// says, or the newest where Debian keeps them.
func postgresBin(ctx context.Context) (string, error) {
	var dirs []string
	if path, err := exec.LookPath("initdb"); err == nil {
		dirs = append(dirs, filepath.Dir(path))
	}
	if out, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output(); err == nil {
		dirs = append(dirs, strings.TrimSpace(string(out)))
	}
	debian, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return "", err
	}
	slices.SortFunc(debian, func(a, b string) int { return cmp.Compare(debianVersion(b), debianVersion(a)) })
	for _, dir := range append(dirs, debian...) {
		if executable(filepath.Join(dir, "initdb")) && executable(filepath.Join(dir, "postgres")) {
			return dir, nil
		}
	}
	return "", errNoPostgres
}

// debianVersion is the number in /usr/lib/postgresql/17/bin.
func debianVersion(bin string) float64 {
	v, err := strconv.ParseFloat(filepath.Base(filepath.Dir(bin)), 64)
	if err != nil {
		return 0
	}
	return v
}

func executable(path string) bool {
	_, err := exec.LookPath(path)
	return err == nil
}

// postgresUser is whom PostgreSQL runs as, or nil for ourselves.
func postgresUser() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL refuses to run as root and there is no user postgres: install it with `apt-get install -y postgresql`: %w", err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}
