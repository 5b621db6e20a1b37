package dashscope

import "github.com/easelqueue/easel/provider"

// Kind is what easel knows of the service before there is an account.
var Kind = provider.Kind{
	Name: "dashscope", BaseURL: defaultBaseURL, KeyVariable: "DASHSCOPE_API_KEY",
	Console: "https://bailian.console.aliyun.com",
	New: func(a provider.AccountConfig) (provider.Provider, error) {
		return New(Config{BaseURL: a.BaseURL, Key: a.Key, Client: a.Client})
	},
}
