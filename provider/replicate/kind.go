package replicate

import "github.com/easelqueue/easel/provider"

// Kind is what easel knows of the service before there is an account.
var Kind = provider.Kind{
	Name: "replicate", BaseURL: defaultBaseURL, KeyVariable: "REPLICATE_API_TOKEN",
	Callbacks: true,
	Console:   "https://replicate.com/predictions", ProbePath: "/account",
	New: func(a provider.AccountConfig) (provider.Provider, error) {
		return New(Config{BaseURL: a.BaseURL, Key: a.Key, Client: a.Client})
	},
}
