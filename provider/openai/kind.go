package openai

import (
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

// Kind is what easel knows of the service before there is an account.
var Kind = provider.Kind{
	Name: "openai", BaseURL: defaultBaseURL, KeyVariable: "OPENAI_API_KEY",
	BuiltIn: true,
	Options: []provider.Option{
		{Name: "organization", Help: "sent as OpenAI-Organization; default none", Limit: task.MaxText},
		{Name: "project", Help: "sent as OpenAI-Project; default none", Limit: task.MaxText},
		{Name: "async", Help: "on submits to a gateway's /async paths and polls; default off"},
		{Name: "edits", Help: "json or multipart is how input pictures are sent; default json, and multipart once the service says so"},
	},
	Console: "https://platform.openai.com/usage", ProbePath: "/models",
	New: func(a provider.AccountConfig) (provider.Provider, error) {
		return New(Config{BaseURL: a.BaseURL, Key: a.Key, Organization: a.Options["organization"], Project: a.Options["project"],
			Async: a.Options["async"], Edits: a.Options["edits"], Client: a.Client})
	},
}
