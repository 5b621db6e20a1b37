package volcengine

import "github.com/easelqueue/easel/provider"

// Kind is what easel knows of the service before there is an account.
var Kind = provider.Kind{
	Name: "volcengine", BaseURL: defaultBaseURL, DefaultModel: DefaultModel, KeyVariable: "ARK_API_KEY",
	BuiltIn: true,
	Console: "https://console.volcengine.com/ark", ProbePath: "/models",
	New: func(a provider.AccountConfig) (provider.Provider, error) {
		return New(Config{BaseURL: a.BaseURL, Key: a.Key, Client: a.Client})
	},
}
