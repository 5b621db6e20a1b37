package studio

import "github.com/easelqueue/easel/provider"

// Kind is what easel knows of a studio before there is an account.
var Kind = provider.Kind{
	Name: "studio", KeyVariable: "STUDIO_KEY", ProbePath: "/models",
	New: func(a provider.AccountConfig) (provider.Provider, error) {
		return New(Config{BaseURL: a.BaseURL, Key: a.Key, Client: a.Client})
	},
}
