package store_test

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/easelqueue/easel/internal/servertest"
	"github.com/easelqueue/easel/store"
)

func TestOpenSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	const secret = "hunter2"
	folder := t.TempDir()
	file := filepath.Join(folder, "letter.txt")
	if err := os.WriteFile(file, []byte(strings.Repeat("this is a letter, not a database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	server, err := url.Parse(servertest.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	server.User = url.UserPassword("nobody", secret)
	const accepted = "the database address is neither postgres://USER:PASSWORD@HOST/NAME nor sqlite:PATH"
	for _, c := range []struct {
		name, address string
		want          []string
	}{
		{"Nothing", "", []string{accepted}},
		{"Another scheme", "mysql://easel:" + secret + "@localhost/easel", []string{accepted}},
		{"Only a path", "/var/lib/easel.db", []string{accepted}},
		{"An address that does not parse", "postgres://easel:" + secret + "%zz@localhost/easel", []string{accepted}},
		{"A port that is no number", "postgres://easel:x@localhost:" + secret + "/easel", []string{accepted}},
		{"No host", "postgres:///easel?password=" + secret, []string{"the database address names no host"}},
		{"No file", "sqlite:", []string{`"sqlite:" names no file; write sqlite:PATH`}},
		{"A user that does not exist", server.String(), []string{"reach the database " + server.Host, `role "nobody" does not exist`}},
		{"An unreachable host", "postgres://easel:" + secret + "@127.0.0.1:1/easel",
			[]string{"reach the database 127.0.0.1:1/easel", "connection refused"}},
		{"An unreachable socket", "postgres:///easel?host=/nonexistent&password=" + secret,
			[]string{"reach the database /nonexistent/easel", "no such file"}},
		{"A wrong option", "postgres://easel:" + secret + "@127.0.0.1:1/easel?sslmode=maybe",
			[]string{"reach the database 127.0.0.1:1/easel", `"maybe" is not supported`}},
		{"A folder that cannot be created", "sqlite:" + filepath.Join(file, "deeper", "easel.db"),
			[]string{"create the folder of the database", "not a directory"}},
		{"A folder instead of a file", "sqlite:" + folder, []string{"reach the database sqlite:" + folder, "unable to open database file"}},
		{"A file that is no database", "sqlite:" + file, []string{"reach the database sqlite:" + file, "file is not a database"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := store.Open(t.Context(), c.address)
			if err == nil {
				s.Close()
				t.Fatal("it was opened")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			isClean(t, err, secret)
		})
	}
}

func isClean(t *testing.T, err error, secret string) {
	t.Helper()
	if strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "\n") {
		t.Errorf("%q holds the password or a second line", err)
	}
}

func TestOpenWithAWrongPassword(t *testing.T) {
	t.Parallel()
	address := servertest.Postgres(t)
	db := open(t, address).DB()
	var rules string
	must(t, db.QueryRow("SHOW hba_file").Scan(&rules))
	trusting, err := os.ReadFile(rules)
	must(t, err)
	must(t, os.WriteFile(rules, append([]byte("host all guarded all scram-sha-256\n"), trusting...), 0o600))
	for _, q := range []string{"DROP ROLE IF EXISTS guarded", "CREATE ROLE guarded LOGIN PASSWORD 'right'", "SELECT pg_reload_conf()"} {
		_, err := db.Exec(q)
		must(t, err)
	}
	u, err := url.Parse(address)
	must(t, err)
	const secret = "hunter2"
	u.User = url.UserPassword("guarded", secret)
	for range 1000 { // until the server has read its rules again
		s, err := store.Open(t.Context(), u.String())
		if err != nil {
			isClean(t, err, secret)
			if !strings.Contains(err.Error(), `password authentication failed for user "guarded"`) {
				t.Error(err)
			}
			return
		}
		s.Close()
	}
	t.Error("the server trusts every password")
}
