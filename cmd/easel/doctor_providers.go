package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/easelqueue/easel/provider"
)

// checkProviders asks every account, all at once, something that costs nothing.
func checkProviders(ctx context.Context, cfg config) []finding {
	var group sync.WaitGroup
	client := newClient(&cfg)
	found := make([][]finding, len(cfg.Providers))
	for i, p := range cfg.Providers {
		found[i] = make([]finding, len(p.Accounts))
		for j, a := range p.Accounts {
			group.Go(func() {
				ctx, cancel := context.WithTimeout(ctx, checkTimeout)
				defer cancel()
				found[i][j] = checkAccount(ctx, client, p, a)
			})
		}
	}
	group.Wait()
	var all []finding
	for _, f := range found {
		all = append(all, f...)
	}
	return all
}

// checkAccount asks for something that services give to every good key and bill
// to nobody, such as their list of models.
func checkAccount(ctx context.Context, c *provider.Client, p providerConfig, a accountConfig) finding {
	f := finding{Check: "provider " + p.Name + "/" + a.Name, Result: warn}
	switch {
	case a.Disabled != "":
		f.Result, f.Detail, f.Do = bad, "is disabled: "+a.Disabled, "Mend the file that the account names; its other accounts and all other providers work"
		return f
	case !a.usable():
		f.Detail, f.Do = "has no key, so its tasks are refused", "Set "+a.KeyVariable+" to use it"
		return f
	case a.BaseURL == "" || kindOf(p.Adapter).ProbePath == "":
		f.Result, f.Detail = fine, "is ready"
		return f
	}
	reply, err := kindOf(p.Adapter).Probe(ctx, provider.AccountConfig{BaseURL: a.BaseURL, Key: a.Key, Client: c})
	if err != nil {
		f.Result, f.Detail, f.Do = bad, strings.TrimSpace(a.BaseURL+": "+err.Error()), "Check network, proxy and base_url"
		return f
	}
	switch {
	case reply.OK():
		f.Result, f.Detail = fine, a.BaseURL+" takes the key"
	case reply.Status == http.StatusUnauthorized || reply.Status == http.StatusForbidden:
		f.Result = bad
		f.Detail = fmt.Sprintf("%s refuses the key (%d)", a.BaseURL, reply.Status)
		f.Do = "Put a valid key into " + a.KeyVariable
	default:
		f.Detail = fmt.Sprintf("%s answers %d: whether the key is good cannot be told without spending", a.BaseURL, reply.Status)
	}
	return f
}
