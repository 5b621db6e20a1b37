package comfyui

import "github.com/easelqueue/easel/provider"

// Kind is what easel knows of the service before there is an account.
var Kind = provider.Kind{
	Name: "comfyui", BaseURL: defaultBaseURL, KeyVariable: "COMFYUI_TOKEN",
	KeyOptional: true, Auth: auth,
	Options:   []provider.Option{{Name: "workflow", Help: "a file in API format", Check: checkWorkflow}},
	ProbePath: "/queue",
	New: func(a provider.AccountConfig) (provider.Provider, error) {
		return New(Config{BaseURL: a.BaseURL, Key: a.Key, Workflow: []byte(a.Options["workflow"]), Client: a.Client})
	},
}
