package fal

import "github.com/easelqueue/easel/provider"

// Kind is what easel knows of the service before there is an account.
var Kind = provider.Kind{
	Name: "fal", BaseURL: defaultBaseURL, KeyVariable: "FAL_KEY",
	Callbacks: true, Auth: auth,
	Console: "https://fal.ai/dashboard/requests",
	New: func(a provider.AccountConfig) (provider.Provider, error) {
		return New(Config{BaseURL: a.BaseURL, Key: a.Key, Client: a.Client})
	},
}
