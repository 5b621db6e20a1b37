package stablediffusion

import "github.com/easelqueue/easel/provider"

// Kind is what easel knows of the service before there is an account.
var Kind = provider.Kind{
	Name: "stable_diffusion", BaseURL: defaultBaseURL, KeyVariable: "STABLE_DIFFUSION_AUTH",
	KeyOptional: true, Auth: provider.Basic,
	ProbePath: "/sdapi/v1/options",
	New: func(a provider.AccountConfig) (provider.Provider, error) {
		return New(Config{BaseURL: a.BaseURL, Key: a.Key, Client: a.Client})
	},
}
