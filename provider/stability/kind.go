package stability

import "github.com/easelqueue/easel/provider"

// Kind is what easel knows of the service before there is an account.
var Kind = provider.Kind{
	Name: "stability", BaseURL: defaultBaseURL, DefaultModel: "core", KeyVariable: "STABILITY_API_KEY",
	Console: "https://platform.stability.ai/account/credits", ProbePath: "/v1/user/balance",
	New: func(a provider.AccountConfig) (provider.Provider, error) {
		return New(Config{BaseURL: a.BaseURL, Key: a.Key, Client: a.Client})
	},
}
