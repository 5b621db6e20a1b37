package gemini

import "github.com/easelqueue/easel/provider"

// Kind is what easel knows of the service before there is an account.
var Kind = provider.Kind{
	Name: "gemini", BaseURL: defaultBaseURL, KeyVariable: "GEMINI_API_KEY",
	Auth:    auth,
	Console: "https://aistudio.google.com/usage", ProbePath: "/models",
	New: func(a provider.AccountConfig) (provider.Provider, error) {
		return New(Config{BaseURL: a.BaseURL, Key: a.Key, Client: a.Client})
	},
}
