package provider

import (
	"cmp"
	"context"
	"net/http"
	"slices"
)

// Kind is one kind of service: what its adapter says of it before there is an account.
type Kind struct {
	Name         string   // as tasks and easel.yaml spell it
	BaseURL      string   // of an account that names none; empty if the service has no address of its own
	DefaultModel string   // of a provider that names none; empty if the service's models come and go
	KeyVariable  string   // the environment variable that holds the key of an account that names none; empty if there are no keys
	KeyOptional  bool     // the service may be used without a key
	BuiltIn      bool     // there without being named in easel.yaml and without its key
	Callbacks    bool     // the service calls back
	Auth         Auth     // how the key is sent; nil is Bearer
	Options      []Option // what an account may say besides
	Console      string   // the service's page on which people look calls up; empty if none is known
	ProbePath    string   // what Probe asks for, below the base URL: free, and refused to a bad key; empty if there is no such thing

	// New makes one account ready to be called. It does no I/O. The error names every
	// field that is wrong.
	New func(AccountConfig) (Provider, error)
}

// Option is one thing that an account of this kind may say of itself, beside what all may.
type Option struct {
	Name  string
	Help  string // one line: the values and the default
	Limit int    // characters; 0 is MaxOption

	// Check marks an option that is the path of a file. New gets what the file holds,
	// of which Check has said that it can be used. A bad file disables its account alone.
	Check func(content []byte) error
}

// MaxOption is how many characters an option has at most, unless it says so itself.
const MaxOption = 4096

// MaxCharacters bounds the value that easel.yaml gives.
func (o Option) MaxCharacters() int { return cmp.Or(o.Limit, MaxOption) }

// AccountConfig is what the operator says of one account.
type AccountConfig struct {
	BaseURL string // empty is the service's own
	Key     Secret
	Options map[string]string // by the names of Kind.Options; of a file, its content
	Client  *Client
}

// Probe asks the service for something that it gives to every good key and bills to
// nobody. It is for kinds that have a ProbePath.
func (k Kind) Probe(ctx context.Context, a AccountConfig) (Reply, error) {
	api := API{BaseURL: cmp.Or(a.BaseURL, k.BaseURL), Key: a.Key, KeyOptional: k.KeyOptional, Auth: k.Auth, Client: a.Client}
	return api.Ask(ctx, http.MethodGet, k.ProbePath, nil)
}

// Kinds are several kinds of service, each with a name of its own.
type Kinds []Kind

// Named returns the kind of that name.
func (ks Kinds) Named(name string) (Kind, bool) {
	i := slices.IndexFunc(ks, func(k Kind) bool { return k.Name == name })
	if i < 0 {
		return Kind{}, false
	}
	return ks[i], true
}

// Names returns their names in order.
func (ks Kinds) Names() []string {
	names := make([]string, len(ks))
	for i, k := range ks {
		names[i] = k.Name
	}
	slices.Sort(names)
	return names
}
