package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/easelqueue/easel/provider/all"
)

// canary is a secret that must not be seen anywhere.
const canary = "sk-canary-0123456789"

func TestConfigDefaults(t *testing.T) {
	t.Chdir(t.TempDir())
	c, err := Load(nil, all.Kinds)
	if err != nil {
		t.Fatal(err)
	}
	want := Config{Data: "easel-data", Pictures: "easel-data/pictures", S3: S3{Endpoint: "https://s3.amazonaws.com"}, DatabaseURL: "sqlite:easel-data/easel.db",
		Listen: "127.0.0.1:8080", PublicURL: "http://127.0.0.1:8080", Pages: Auto, Queues: Read, Drain: 310 * time.Second, LogLevel: zerolog.InfoLevel}
	if c.Memory == nil || c.Memory.Size != 512<<20 {
		t.Errorf("the memory is %+v", c.Memory)
	}
	c.Kinds, c.Providers, c.Services, c.Fetch, c.Memory = nil, nil, nil, nil, nil
	if diff := cmp.Diff(want, c); diff != "" {
		t.Error(diff)
	}
}

func TestConfigEnvironment(t *testing.T) {
	for claim, c := range map[string]struct {
		env  string
		want string // in the error; empty means that it is accepted
	}{
		"An empty variable is not set":                     {"EASEL_DRAIN=", ""},
		"Variables of others are none of ours":             {"PATH=/bin", ""},
		"Variables that Kubernetes injects are no typos":   {"EASEL_PORT_8080_TCP_ADDR=10.0.0.1", ""},
		"Nor those of a service beside ours":               {"EASEL_REDIS_SERVICE_HOST=10.0.0.2", ""},
		"A misspelt variable is refused with the near one": {"EASEL_LISEN=:80", "EASEL_LISEN is not a setting of easel; did you mean EASEL_LISTEN?"},
		"An unknown variable points to the list":           {"EASEL_CONJECTURE=1", "see `easel help environment`"},
		"A drain is a duration":                            {"EASEL_DRAIN=soon", `EASEL_DRAIN is "soon"; accepted are durations from 0s to 1h`},
		"A drain has a bound":                              {"EASEL_DRAIN=61m", `EASEL_DRAIN is "61m"; accepted are`},
		"A drain is not negative":                          {"EASEL_DRAIN=-1s", "EASEL_DRAIN"},
		"No drain at all is allowed":                       {"EASEL_DRAIN=0s", ""},
		"An Address to listen on needs a port":             {"EASEL_LISTEN=localhost", `EASEL_LISTEN is "localhost"; accepted is host:port`},
		"A bucket has no user":                             {"EASEL_PICTURES=s3://key:" + canary + "@bucket/x", `EASEL_PICTURES is "s3://***@bucket/x"`},
		"A folder is no address":                           {"EASEL_DATA=https://user:" + canary + "@host/x", `EASEL_DATA is "https://***@host/x"`},
		"A port has a bound":                               {"EASEL_LISTEN=:65536", "EASEL_LISTEN"},
		"Any Address may be listened on":                   {"EASEL_LISTEN=[::]:0", ""},
		"A public URL has no query":                        {"EASEL_PUBLIC_URL=https://x.test/?token=" + canary, "EASEL_PUBLIC_URL is not such a URL"},
		"A public URL may have a path":                     {"EASEL_PUBLIC_URL=https://x.test/easel/", ""},
		"Pages have one of three modes":                    {"EASEL_PAGES=all", `EASEL_PAGES is "all"; accepted are auto, read and write`},
		"Networks, hosts and a proxy may be fetched from":  {"EASEL_FETCH_ALLOW=10.0.0.0/8, fd00::1,cdn.inside:443,proxy", ""},
		"A presigned Address lives a week at most":         {"EASEL_S3_PRESIGN=8d", `EASEL_S3_PRESIGN is "8d"; accepted are durations from 1m to 7d`},
		"A presigned Address lives a minute at least":      {"EASEL_S3_PRESIGN=1s", `EASEL_S3_PRESIGN is "1s"`},
		"A presigned Address may live for days":            {"EASEL_S3_PRESIGN=2d", ""},
		"The journal is direct or batched":                 {"EASEL_JOURNAL=fast", `EASEL_JOURNAL is "fast"; accepted are direct and batched`},
		"Metadata is on or off":                            {"EASEL_PICTURE_METADATA=yes", `EASEL_PICTURE_METADATA is "yes"; accepted are on and off`},
		"What is fetched from is a network or a host":      {"EASEL_FETCH_ALLOW=10.0.0.0/8,inside", `EASEL_FETCH_ALLOW has "inside"; accepted are networks`},
		"asynqmon has one of two modes":                    {"EASEL_QUEUES=auto", `EASEL_QUEUES is "auto"; accepted are read and write`},
		"Pages may be writable":                            {"EASEL_PAGES=write", ""},
		"A database is Postgres or SQLite":                 {"EASEL_DATABASE_URL=mysql://u:" + canary + "@h/x", "EASEL_DATABASE_URL has a form that is not known; accepted are postgres://"},
		"A database URL that cannot be read is not shown":  {"EASEL_DATABASE_URL=postgres://u:" + canary + "%@h/x", "EASEL_DATABASE_URL is not a URL with a host"},
		"Nor is a password that ends its URL":              {"EASEL_DATABASE_URL=postgres://u:p@" + canary + "/w#rd@h/x", "EASEL_DATABASE_URL is not a URL with a host (a special character in the password must be written as %XX)"},
		"Nor one that looks like a port":                   {"EASEL_DATABASE_URL=postgres://u:12/" + canary + "@h/x", "EASEL_DATABASE_URL is not a URL with a host"},
		"Nor one that ends the URL of Redis":               {"EASEL_REDIS_URL=redis://:p@" + canary + "/3#rd@h:6379", "EASEL_REDIS_URL cannot be read (a special"},
		"A SQLite database needs a file":                   {"EASEL_DATABASE_URL=sqlite:", "EASEL_DATABASE_URL names no file"},
		"A Postgres database may be a socket":              {"EASEL_DATABASE_URL=postgres:///x?host=/run", ""},
		"A Redis URL that cannot be read is not shown":     {"EASEL_REDIS_URL=redis://:" + canary + "@h:port", "EASEL_REDIS_URL cannot be read"},
		"A Redis needs a known scheme":                     {"EASEL_REDIS_URL=http://h", "EASEL_REDIS_URL cannot be read"},
		"A cluster of Redis is accepted":                   {"EASEL_REDIS_URL=redis-cluster://h1:1,h2:2", ""},
		"A log level must be known":                        {"EASEL_LOG=loud", `EASEL_LOG is "loud"; accepted are debug`},
		"A log may have level and format":                  {"EASEL_LOG=debug,json", ""},
		"A configuration that is named must exist":         {"EASEL_CONFIG=nowhere.yaml", `EASEL_CONFIG is "nowhere.yaml", which cannot be read: no such file`},
		"A path holds no line break":                       {"EASEL_DATA=a\nb", "EASEL_DATA is"},
		"A key holds no blank":                             {"OPENAI_API_KEY=" + canary + " x", "OPENAI_API_KEY holds a space"},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Chdir(t.TempDir())
			_, err := Load([]string{c.env}, all.Kinds)
			if c.want == "" && err != nil {
				t.Fatalf("refused: %v", err)
			}
			if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), canary) {
				t.Errorf("the error shows the secret: %v", err)
			}
		})
	}
	t.Run("All mistakes are told at once", func(t *testing.T) {
		t.Chdir(t.TempDir())
		_, err := Load([]string{"EASEL_DRAIN=x", "EASEL_LOG=y", "EASEL_LSITEN=z"}, all.Kinds)
		for _, name := range []string{"EASEL_DRAIN", "EASEL_LOG", "EASEL_LSITEN"} {
			if err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%s is missing in: %v", name, err)
			}
		}
	})
	t.Run("What is wrong keeps nothing from being shown", func(t *testing.T) {
		t.Chdir(t.TempDir())
		right, err := Load(nil, all.Kinds)
		if err != nil {
			t.Fatal(err)
		}
		for name := range right.Effective() {
			c, _ := Load([]string{name + "=5"}, all.Kinds)
			if shown := c.Effective(); len(shown) != len(right.Effective()) {
				t.Errorf("with %s=5 this is shown: %v", name, shown)
			}
		}
	})
	t.Run("A listener on all addresses is reached at localhost", func(t *testing.T) {
		t.Chdir(t.TempDir())
		c, err := Load([]string{"EASEL_LISTEN=0.0.0.0:99"}, all.Kinds)
		if err != nil || c.PublicURL != "http://localhost:99" {
			t.Errorf("got %q, %v", c.PublicURL, err)
		}
	})
}

// load reads text as easel.yaml.
func load(t *testing.T, text string, env ...string) (Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "easel.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(append(env, "EASEL_CONFIG="+path), all.Kinds)
}

func TestMicros(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "0.1": 100_000, "0.005": 5_000, "10000": 10_000_000_000, "0.000001": 1, "12.34": 12_340_000} {
		if got, err := parseMicros(text); err != nil || got != want {
			t.Errorf("%s is %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", ".5", "1.", "1,5", "10000.000001", "99999", "+1", "0x1", "1_000"} {
		if got, err := parseMicros(text); err == nil {
			t.Errorf("%q is taken as %d", text, got)
		}
	}
}

func TestAddress(t *testing.T) {
	for in, want := range map[string]string{
		"sqlite:a/b.db":                          "sqlite:a/b.db",
		"postgres://u:" + canary + "@h/x":        "postgres://u@h/x",
		"postgres://u:a@" + canary + "@h/x":      "postgres://u@h/x",
		"postgres://h/x?password=" + canary:      "postgres://h/x?password=xxx",
		"redis-sentinel://:" + canary + "@a,b/m": "redis-sentinel://@a,b/m",
		"redis://u:a?b" + canary + "@h":          "redis://u@h",
		canary:                                   "***",
		"":                                       "",
	} {
		if got := fmt.Sprint(Address(in)); got != want {
			t.Errorf("%s is shown as %s, want %s", in, got, want)
		}
	}
}
