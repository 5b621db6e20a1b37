package sketch

import "github.com/easelqueue/easel/provider"

// Name is what tasks and easel.yaml call it.
const Name = "sketch"

// Kind is what easel knows of the service before there is an account.
var Kind = provider.Kind{
	Name: Name, BuiltIn: true,
	New: func(provider.AccountConfig) (provider.Provider, error) { return &Provider{}, nil },
}
