package fakeprovider

import "github.com/easelqueue/easel/provider"

// Kind is what easel knows of a fake provider before there is an account. A fake provider has no address
// of its own, and so no account that a variable alone would make.
var Kind = provider.Kind{
	Name: "fakeprovider", ProbePath: "/models",
	New: func(a provider.AccountConfig) (provider.Provider, error) {
		return New(Config{BaseURL: a.BaseURL, Key: a.Key, Client: a.Client})
	},
}
