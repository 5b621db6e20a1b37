package bfl

import "github.com/easelqueue/easel/provider"

// Kind is what easel knows of the service before there is an account.
var Kind = provider.Kind{
	Name: "bfl", BaseURL: defaultBaseURL, KeyVariable: "BFL_API_KEY",
	Callbacks: true, Auth: auth,
	Console: "https://dashboard.bfl.ai", ProbePath: "/v1/credits",
	New: func(a provider.AccountConfig) (provider.Provider, error) {
		return New(Config{BaseURL: a.BaseURL, Key: a.Key, Client: a.Client})
	},
}
