package midjourney

import "github.com/easelqueue/easel/provider"

// Kind is what easel knows of the service before there is an account.
var Kind = provider.Kind{
	Name: "midjourney", KeyVariable: "MIDJOURNEY_PROXY_KEY",
	KeyOptional: true, Callbacks: true,
	Options: []provider.Option{{Name: "dialect", Help: "novicezk, trueai or gateway"}},
	New: func(a provider.AccountConfig) (provider.Provider, error) {
		return New(Config{BaseURL: a.BaseURL, Key: a.Key, Dialect: Dialect(a.Options["dialect"]), Client: a.Client})
	},
}
