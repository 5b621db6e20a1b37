package studio

import "github.com/easelqueue/easel/provider"

// Kind is what easel knows of a studio before there is an account. A studio has no address
// of its own, and so no account that a variable alone would make.
var Kind = provider.Kind{
	Name: "studio", ProbePath: "/models",
	New: func(a provider.AccountConfig) (provider.Provider, error) {
		return New(Config{BaseURL: a.BaseURL, Key: a.Key, Client: a.Client})
	},
}
