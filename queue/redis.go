package queue

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

const acceptedURLs = "accepted are redis://[user:password@]host[:port][/db], redis-sentinel://[user:password@]host[:port],host[:port]/master[?db=n] " +
	"and redis-cluster://[user:password@]host[:port],host[:port]; with TLS they begin with rediss; a password is percent-encoded"

// Redis returns a client for a server, a server behind sentinels, or a cluster.
// Options of go-redis may follow as a query. User and password are those of
// Redis itself; sentinels that want their own get sentinel_username and
// sentinel_password in the query. It does not connect.
//
// Its errors do not quote the address, since even the pieces of one that cannot
// be parsed may be pieces of a password.
func Redis(address string) (redis.UniversalClient, error) {
	scheme, rest, found := strings.Cut(address, "://")
	if !found {
		return nil, errors.New("queue: redis url has no scheme; " + acceptedURLs)
	}
	plain, kind, _ := strings.Cut(scheme, "-")
	if plain != "redis" && plain != "rediss" || strings.HasSuffix(scheme, "-") {
		return nil, errors.New("queue: redis url has an unknown scheme; " + acceptedURLs)
	}
	var client redis.UniversalClient
	var err error
	switch kind {
	case "":
		client, err = single(plain + "://" + rest)
	case "sentinel":
		var o *redis.FailoverOptions
		if o, err = failover(plain, rest); err == nil {
			client = redis.NewFailoverClient(o)
		}
	case "cluster":
		client, err = cluster(plain, rest)
	default:
		err = errors.New("unknown scheme")
	}
	if err != nil {
		return nil, fmt.Errorf("queue: redis url: %w; %s", err, acceptedURLs)
	}
	return client, nil
}

// errURL replaces the errors of net/url and go-redis, which quote what they read.
var errURL = errors.New("host, port, database or an option cannot be read")

func single(address string) (redis.UniversalClient, error) {
	if u, err := url.Parse(address); err != nil || u.Hostname() == "" {
		return nil, errURL
	}
	o, err := redis.ParseURL(address)
	if err != nil {
		return nil, errURL
	}
	o.ContextTimeoutEnabled = true
	return redis.NewClient(o), nil
}

// several is an address with more than one host, which net/url refuses.
type several struct {
	first *url.URL // the address with its first host only
	hosts []string // all, with their ports
}

func parseSeveral(scheme, rest, port string) (several, error) {
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	authority, tail := rest[:end], rest[end:]
	login := ""
	if at := strings.LastIndex(authority, "@"); at >= 0 {
		login, authority = authority[:at+1], authority[at+1:]
	}
	var all several
	for host := range strings.SplitSeq(authority, ",") {
		u, err := url.Parse(scheme + "://" + login + host + tail)
		if err != nil || u.Hostname() == "" {
			return several{}, errURL
		}
		if u.Port() == "" {
			u.Host = net.JoinHostPort(u.Hostname(), port)
		}
		if all.first == nil {
			all.first = u
		}
		all.hosts = append(all.hosts, u.Host)
	}
	return all, nil
}

func failover(scheme, rest string) (*redis.FailoverOptions, error) {
	all, err := parseSeveral(scheme, rest, "26379")
	if err != nil {
		return nil, err
	}
	master := strings.Trim(all.first.Path, "/")
	if master == "" || strings.Contains(master, "/") {
		return nil, errors.New("the path must be the name of the master")
	}
	query := all.first.Query()
	user, password := query.Get("sentinel_username"), query.Get("sentinel_password")
	query.Del("sentinel_username")
	query.Del("sentinel_password")
	query.Set("master_name", master)
	all.first.Path, all.first.RawPath, all.first.RawQuery = "", "", query.Encode()

	o, err := redis.ParseFailoverURL(all.first.String())
	if err != nil {
		return nil, errURL
	}
	o.SentinelAddrs = all.hosts
	o.Username, o.Password = o.SentinelUsername, o.SentinelPassword // go-redis reads the login as the sentinels'
	o.SentinelUsername, o.SentinelPassword = user, password
	o.ContextTimeoutEnabled = true
	return o, nil
}

func cluster(scheme, rest string) (redis.UniversalClient, error) {
	all, err := parseSeveral(scheme, rest, "6379")
	if err != nil {
		return nil, err
	}
	if strings.Trim(all.first.Path, "/") != "" {
		return nil, errors.New("a cluster has no databases, so the path must be empty")
	}
	all.first.Path = ""
	o, err := redis.ParseClusterURL(all.first.String())
	if err != nil {
		return nil, errURL
	}
	o.Addrs = slices.Clone(all.hosts)
	o.ContextTimeoutEnabled = true
	return redis.NewClusterClient(o), nil
}
