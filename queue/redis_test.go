package queue

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/easelqueue/easel/internal/servertest"
	"github.com/easelqueue/easel/task"
)

func TestRedis(t *testing.T) {
	t.Run("Every accepted address reaches its servers with its login", func(t *testing.T) {
		type reached struct {
			Addrs                                          []string
			User, Password, SentinelUser, SentinelPassword string
			DB, PoolSize                                   int
			TLS                                            bool
		}
		for address, want := range map[string]reached{
			"redis://127.0.0.1":                         {Addrs: []string{"127.0.0.1:6379"}},
			"redis://u:p%40ss@h:1/3?pool_size=7":        {Addrs: []string{"h:1"}, User: "u", Password: "p@ss", DB: 3, PoolSize: 7},
			"rediss://:p@h:1":                           {Addrs: []string{"h:1"}, Password: "p", TLS: true},
			"redis-cluster://u:p@h1,h2:7000,[::1]:7001": {Addrs: []string{"h1:6379", "h2:7000", "[::1]:7001"}, User: "u", Password: "p"},
			"rediss-cluster://h1:1/?pool_size=7":        {Addrs: []string{"h1:1"}, TLS: true, PoolSize: 7},
		} {
			client, err := Redis(address)
			if err != nil {
				t.Errorf("%s: %v", address, err)
				continue
			}
			var got reached
			switch c := client.(type) {
			case *redis.Client:
				o := c.Options()
				got = reached{Addrs: []string{o.Addr}, User: o.Username, Password: o.Password, DB: o.DB, PoolSize: o.PoolSize, TLS: o.TLSConfig != nil}
			case *redis.ClusterClient:
				o := c.Options()
				got = reached{Addrs: o.Addrs, User: o.Username, Password: o.Password, PoolSize: o.PoolSize, TLS: o.TLSConfig != nil}
			}
			if want.PoolSize == 0 {
				got.PoolSize = 0
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: %s", address, diff)
			}
			must(t, client.Close())
		}
	})
	t.Run("Sentinels have a login of their own", func(t *testing.T) {
		o, err := failover("redis", "u:p@s1,s2:7/mine?db=2&sentinel_username=su&sentinel_password=sp&pool_size=7")
		must(t, err)
		got := map[string]any{
			"MasterName": o.MasterName, "SentinelAddrs": o.SentinelAddrs, "Username": o.Username, "Password": o.Password,
			"SentinelUsername": o.SentinelUsername, "SentinelPassword": o.SentinelPassword,
			"DB": o.DB, "PoolSize": o.PoolSize, "TLSConfig == nil": o.TLSConfig == nil,
		}
		want := map[string]any{
			"MasterName": "mine", "SentinelAddrs": []string{"s1:26379", "s2:7"}, "Username": "u", "Password": "p",
			"SentinelUsername": "su", "SentinelPassword": "sp",
			"DB": 2, "PoolSize": 7, "TLSConfig == nil": true,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("An address that cannot be used is refused without its password", func(t *testing.T) {
		for address, reason := range map[string]string{
			"":                                   "no scheme",
			"s3cret@host":                        "no scheme",
			"s3cret://host":                      "unknown scheme",
			"redis-s3cret://host":                "unknown scheme",
			"redis-://host":                      "unknown scheme",
			"redis://user:s3cret":                "cannot be read",
			"redis://:12/s3cret@host":            "cannot be read",
			"redis://:s3cret@":                   "cannot be read",
			"redis://:s3cret@host/x":             "cannot be read",
			"redis://:s3cret@host?no_such=1":     "cannot be read",
			"redis://:s3%zzcret@host":            "cannot be read",
			"redis-sentinel://:s3cret@h1,h2":     "name of the master",
			"redis-sentinel://:s3cret@h1,/m":     "cannot be read",
			"redis-sentinel://:s3cret@h/m?db=s3": "cannot be read",
			"redis-cluster://:s3cret@h1,h2/3":    "no databases",
			"redis-cluster://:s3cret@h1:x,h2":    "cannot be read",
		} {
			_, err := Redis(address)
			if err == nil || !strings.Contains(err.Error(), reason) || !strings.Contains(err.Error(), "redis-sentinel://[user") || strings.Contains(err.Error(), "s3") {
				t.Errorf("%s: %v", address, err)
			}
		}
	})
}

func TestHealth(t *testing.T) {
	t.Run("A redis-server tells everything", func(t *testing.T) {
		q := open(t, servertest.Redis(t).URL)
		h, err := q.Health(t.Context())
		if err != nil || !strings.Contains(h.Version, ".") || h.Latency <= 0 || h.Skew.Abs() > time.Second {
			t.Errorf("%+v, %v", h, err)
		}
		h.Version, h.Latency, h.Skew = "", 0, 0
		if diff := cmp.Diff(Health{Role: "master", Eviction: "noeviction", AOF: "on", Loading: "no"}, h); diff != "" {
			t.Error(diff)
		}
		must(t, q.Redis.ConfigSet(t.Context(), "maxmemory-policy", "allkeys-lru").Err())
		if h, err = q.Health(t.Context()); err != nil || h.Eviction != "allkeys-lru" || len(h.Problems()) != 1 {
			t.Errorf("%+v, %v", h, err)
		}
	})
	t.Run("A server that refuses to tell is unknown and no error", func(t *testing.T) {
		q := open(t, servertest.Redis(t).URL)
		for _, rule := range []string{"-info", "-config", "-time"} {
			must(t, q.Redis.Do(t.Context(), "ACL", "SETUSER", "default", rule).Err())
		}
		h, err := q.Health(t.Context())
		h.Latency = 0
		if diff := cmp.Diff(Health{unknown, unknown, unknown, unknown, unknown, 0, 0}, h); diff != "" || err != nil {
			t.Error(diff, err)
		}
	})
	t.Run("The embedded Redis has no problem", func(t *testing.T) {
		q := open(t, "redis://"+miniredis.RunT(t).Addr())
		if h, err := q.Health(t.Context()); err != nil || len(h.Problems()) != 0 {
			t.Errorf("%+v, %v, %q", h, err, h.Problems())
		}
	})
	t.Run("A server that does not answer is an error", func(t *testing.T) {
		q := open(t, "redis://127.0.0.1:1?max_retries=-1")
		if _, err := q.Health(t.Context()); err == nil {
			t.Error("it is not")
		}
	})
}

func TestNames(t *testing.T) {
	t.Run("A queue name leads back to provider and priority", func(t *testing.T) {
		for name, r := range map[string]Delivery{"openai:high": {Provider: "openai", Priority: 1}, "openai": {Provider: "openai"},
			"my-openai.2:low": {Provider: "my-openai.2", Priority: -1}} {
			provider, priority := parseQueue(name)
			if r.Queue() != name || provider != r.Provider || priority != r.Priority {
				t.Errorf("%s became %s, %s and %d", name, r.Queue(), provider, priority)
			}
		}
		if far := (Delivery{Provider: "p", Priority: task.Priority(-9)}); far.Queue() != "p:low" {
			t.Errorf("priority -9 waits in %s", far.Queue())
		}
	})
	t.Run("Only an id of ours is one", func(t *testing.T) {
		for id, ours := range map[string]bool{"1.0": true, "81234.17": true, "": false, "1": false, "0.0": false, "-1.0": false, "01.0": false,
			"+1.0": false, "1.-1": false, "1.0.0": false, "99999999999999999999.0": false, "x.0": false} {
			if ref, got := parseID(id); got != ours || ours && ref.String() != id {
				t.Errorf("%q: %t, %s", id, got, ref)
			}
		}
	})
	t.Run("A name that would mean something else is refused", func(t *testing.T) {
		for _, name := range []string{"", "a:high", "a b", "a{b}", "a/b", "a\x00", "a\xff", strings.Repeat("a", maxProvider+1)} {
			if validProvider(name) == nil {
				t.Errorf("%q is taken", name)
			}
		}
	})
	t.Run("A verdict is told to asynq as valid text", func(t *testing.T) {
		for text, v := range map[string]Verdict{"ab": {Action: Retry, Reason: "a\xffb"}, "archived: ab": {Action: Archive, Reason: "a\xffb"}} {
			if got := v.asynq(false); got.Error() != text || errors.Is(got, asynq.SkipRetry) != (v.Action == Archive) {
				t.Errorf("%+v is told as %q", v, got)
			}
		}
		if got := (Verdict{}).asynq(false); got != nil {
			t.Errorf("what is done is told as %q", got)
		}
	})
	t.Run("A wait ends on the first whole second after it", func(t *testing.T) {
		for _, d := range []time.Duration{time.Nanosecond, time.Second, 1500 * time.Millisecond, time.Hour} {
			now := time.Now()
			at := now.Add(untilWhole(d))
			if early := at.Sub(now) - d; early < 0 || early > time.Second {
				t.Errorf("%s became %s", d, at.Sub(now))
			}
		}
		if untilWhole(0) != 0 || untilWhole(-time.Second) != 0 {
			t.Error("at once is not at once")
		}
	})
}
