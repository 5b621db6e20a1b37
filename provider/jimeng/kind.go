package jimeng

import "github.com/easelqueue/easel/provider"

// Kind is what easel knows of the service before there is an account.
var Kind = provider.Kind{
	Name: "jimeng", BaseURL: defaultBaseURL, DefaultModel: DefaultModel, KeyVariable: "JIMENG_KEY",
	Console: "https://console.volcengine.com",
	New: func(a provider.AccountConfig) (provider.Provider, error) {
		return New(Config{BaseURL: a.BaseURL, Key: a.Key, Client: a.Client})
	},
}
