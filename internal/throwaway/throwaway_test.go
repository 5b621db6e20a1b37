//go:build unix

package throwaway

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// doomed is the environment variable that makes this test binary a process that
// starts both servers and waits to be killed.
const doomed = "THROWAWAY_DOOMED"

// footprint is what a server leaves in the world while it runs.
type footprint struct{ URL, Dir string }

func TestMain(m *testing.M) {
	if os.Getenv(doomed) == "" {
		os.Exit(m.Run())
	}
	var prints []footprint
	for _, start := range kinds {
		s, err := start(context.Background(), Options{})
		if err != nil {
			panic(err)
		}
		prints = append(prints, footprint{s.URL, s.dir})
	}
	if err := json.NewEncoder(os.Stdout).Encode(prints); err != nil {
		panic(err)
	}
	select {}
}

var kinds = map[string]func(context.Context, Options) (*Server, error){"PostgreSQL": Postgres, "Redis": Redis, "S3": S3}

func TestServer(t *testing.T) {
	for kind, start := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s, err := start(t.Context(), Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			before, pid := s.URL, s.Pid()

			if !answers(t, s.URL) || pid == 0 {
				t.Fatalf("a started server answers at %s: pid %d", s.URL, pid)
			}
			if err := s.Kill(); err != nil {
				t.Fatal(err)
			}
			// Children of a killed PostgreSQL hold its port for a moment.
			eventually(t, "a killed server still answers", func() bool { return !answers(t, s.URL) && s.Pid() == 0 })
			if err := s.Restart(t.Context()); err != nil {
				t.Fatalf("a killed server does not start again: %v", err)
			}
			if !answers(t, before) || s.URL != before || s.Pid() == pid {
				t.Errorf("a restarted server is not a new process on the same port: %s, then %s", before, s.URL)
			}
			if err := s.Stop(); err != nil {
				t.Fatal(err)
			}
			if answers(t, s.URL) || s.Pid() != 0 {
				t.Error("a stopped server still answers")
			}
			if err := s.Restart(t.Context()); err != nil {
				t.Fatalf("a stopped server does not start again: %v", err)
			}
			for range 2 {
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := os.Stat(s.dir); !errors.Is(err, os.ErrNotExist) || answers(t, s.URL) {
				t.Errorf("a closed server leaves something behind: %v", err)
			}
		})
	}
}

func TestServersDieWithTheirProcess(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), doomed+"=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var prints []footprint
	decodeErr := json.NewDecoder(out).Decode(&prints)
	for _, p := range prints {
		if !answers(t, p.URL) {
			t.Errorf("%s does not answer before its process dies", p.URL)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // "signal: killed"
	if decodeErr != nil || len(prints) != len(kinds) {
		t.Fatalf("the process did not start its servers: %v", decodeErr)
	}
	for _, p := range prints {
		eventually(t, p.URL+" still answers, or its folder is still there", func() bool {
			_, err := os.Stat(p.Dir)
			return errors.Is(err, os.ErrNotExist) && !answers(t, p.URL)
		})
	}
}

func TestOptions(t *testing.T) {
	t.Run("Redis keeps its data only if asked to", func(t *testing.T) {
		for _, durable := range []bool{false, true} {
			s, err := Redis(t.Context(), Options{Durable: durable})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			redisSay(t, s, "SET k v")
			if err := s.Kill(); err != nil {
				t.Fatal(err)
			}
			if err := s.Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := redisSay(t, s, "EXISTS k"); (got == ":1") != durable {
				t.Errorf("durable %t: EXISTS after a crash says %s", durable, got)
			}
		}
	})
	t.Run("A setting that the server refuses is in the error", func(t *testing.T) {
		_, err := Redis(t.Context(), Options{Settings: map[string]string{"maxmemory-policy": "sometimes"}})
		if err == nil || !strings.Contains(err.Error(), "sometimes") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("PostgreSQL flushes to the disk only if asked to", func(t *testing.T) {
		for durable, want := range map[bool]string{false: "fsync=off", true: "fsync=on"} {
			args := strings.Join(postgresArgs(Options{Durable: durable}, "d", 1), " ")
			if !strings.Contains(args, want) {
				t.Errorf("durable %t: %s is missing in %s", durable, want, args)
			}
		}
	})
	t.Run("A newer PostgreSQL comes first", func(t *testing.T) {
		if debianVersion("/usr/lib/postgresql/9.6/bin") >= debianVersion("/usr/lib/postgresql/17/bin") {
			t.Error("9.6 comes before 17")
		}
	})
}

func TestMissingServers(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := Redis(t.Context(), Options{}); err == nil || !strings.Contains(err.Error(), "apt-get install -y redis-server") {
		t.Errorf("a missing redis-server is reported as: %v", err)
	}
	if !strings.Contains(errNoPostgres.Error(), "apt-get install -y postgresql") {
		t.Errorf("a missing PostgreSQL is reported as: %v", errNoPostgres)
	}
}

func TestPortsTakenMeanwhile(t *testing.T) {
	t.Run("An answer from somebody else's server is not taken for ours", func(t *testing.T) {
		s, err := Redis(t.Context(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if !redisReady("", s.port, s.Pid()) {
			t.Error("our own answer is refused")
		}
		if redisReady("", s.port, s.Pid()+1) {
			t.Error("another process's answer is taken")
		}
	})
	t.Run("The state file of a former PostgreSQL is not taken for ours", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.Mkdir(dataDir(dir), 0o700); err != nil {
			t.Fatal(err)
		}
		state := "41\n/data\n1\n5432\n\n127.0.0.1\n 1 2\nready   \n"
		if err := os.WriteFile(filepath.Join(dataDir(dir), "postmaster.pid"), []byte(state), 0o600); err != nil {
			t.Fatal(err)
		}
		if !postgresReady(dir, 0, 41) || postgresReady(dir, 0, 42) {
			t.Error("process 41 is not ready, or 42 is")
		}
	})
}

// answers reports whether something listens at the server's address.
func answers(t *testing.T, server string) bool {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.DialTimeout("tcp", u.Host, time.Second)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

func redisSay(t *testing.T, s *Server, command string) string {
	t.Helper()
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.DialTimeout("tcp", u.Host, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, command+"\r\n"); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

func eventually(t *testing.T, otherwise string, claim func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for !claim() {
		select {
		case <-deadline:
			t.Fatal(otherwise)
		case <-tick.C:
		}
	}
}
