//go:build unix

package throwaway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

var errNoPgBouncer = errors.New("pgbouncer was not found: install it with `apt-get install -y pgbouncer`")

// PgBouncer starts a connection pooler before the database at that address, which
// must let its user in without a password. It gives its three servers to
// transactions; Settings override that ("pool_mode", "default_pool_size"). As
// PostgreSQL does, it runs as the user postgres when we are root. ctx bounds only
// the start.
func PgBouncer(ctx context.Context, address string, o Options) (*Server, error) {
	bin, err := exec.LookPath("pgbouncer")
	if err != nil {
		if bin = "/usr/sbin/pgbouncer"; !executable(bin) {
			return nil, errNoPgBouncer
		}
	}
	as, err := postgresUser()
	if err != nil {
		return nil, err
	}
	behind, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	r := recipe{
		name:    "pgbouncer",
		orderly: syscall.SIGINT,
		quick:   syscall.SIGTERM,
		ready:   pgbouncerReady,
		url: func(port int) string {
			before := *behind
			before.Host = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
			return before.String()
		},
		command: func(dir string, port int) *exec.Cmd {
			ini := filepath.Join(dir, "pgbouncer.ini")
			// That it cannot be written is what the server says then.
			_ = os.WriteFile(ini, pgbouncerIni(behind, o, dir, port), 0o644)
			cmd := exec.Command(bin, ini)
			cmd.Dir = dir
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
			return cmd
		},
	}
	return begin(ctx, r, func(_ context.Context, dir string) error {
		if as == nil {
			return nil
		}
		return os.Chown(dir, int(as.Uid), int(as.Gid))
	})
}

func pgbouncerIni(behind *url.URL, o Options, dir string, port int) []byte {
	settings := map[string]string{
		"listen_addr":       "127.0.0.1",
		"listen_port":       strconv.Itoa(port),
		"unix_socket_dir":   "",
		"auth_type":         "any",
		"pool_mode":         "transaction",
		"default_pool_size": "3",
		"max_client_conn":   "500",
		"pidfile":           filepath.Join(dir, "pid"),
		// Without it the log of a test that fails is thousands of lines of comings and goings.
		"log_connections": "0", "log_disconnections": "0",
	}
	maps.Copy(settings, o.Settings)
	var ini bytes.Buffer
	fmt.Fprintf(&ini, "[databases]\n* = host=%s port=%s user=%s\n[pgbouncer]\n", behind.Hostname(), behind.Port(), behind.User.Username())
	for _, k := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&ini, "%s = %s\n", k, settings[k])
	}
	return ini.Bytes()
}

// pgbouncerReady reads the file that the process writes once it listens.
func pgbouncerReady(dir string, _, pid int) bool {
	b, err := os.ReadFile(filepath.Join(dir, "pid"))
	return err == nil && strings.TrimSpace(string(b)) == strconv.Itoa(pid)
}
