package doctor

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/provider"
)

// checkProviders asks every account, all at once, something that costs nothing.
func checkProviders(ctx context.Context, cfg config.Config) []Finding {
	var group sync.WaitGroup
	client := cfg.Client()
	found := make([][]Finding, len(cfg.Providers))
	for i, p := range cfg.Providers {
		found[i] = make([]Finding, len(p.Accounts))
		for j, a := range p.Accounts {
			group.Go(func() {
				ctx, cancel := context.WithTimeout(ctx, checkTimeout)
				defer cancel()
				found[i][j] = checkAccount(ctx, client, p, a)
			})
		}
	}
	group.Wait()
	var all []Finding
	for _, f := range found {
		all = append(all, f...)
	}
	return all
}

// checkAccount asks for something that services give to every good key and bill
// to nobody, such as their list of models.
func checkAccount(ctx context.Context, c *provider.Client, p config.Provider, a config.Account) Finding {
	f := Finding{Check: "provider " + p.Name + "/" + a.Name, Result: Warn}
	switch {
	case a.Disabled != "":
		f.Result, f.Detail, f.Do = Fail, "is disabled: "+a.Disabled, "Mend the file that the account names; its other accounts and all other providers work"
		return f
	case !a.Usable():
		f.Detail, f.Do = "has no key, so its tasks are refused", "Set "+a.KeyVariable+" to use it"
		return f
	case a.BaseURL == "" || p.Kind.ProbePath == "":
		f.Result, f.Detail = OK, "is ready"
		return f
	}
	reply, err := p.Kind.Probe(ctx, provider.AccountConfig{BaseURL: a.BaseURL, Key: a.Key, Client: c})
	if err != nil {
		f.Result, f.Detail, f.Do = Fail, strings.TrimSpace(a.BaseURL+": "+err.Error()), "Check network, proxy and base_url"
		return f
	}
	switch {
	case reply.OK():
		f.Result, f.Detail = OK, a.BaseURL+" takes the key"
	case reply.Status == http.StatusUnauthorized || reply.Status == http.StatusForbidden:
		f.Result = Fail
		f.Detail = fmt.Sprintf("%s refuses the key (%d)", a.BaseURL, reply.Status)
		f.Do = "Put a valid key into " + a.KeyVariable
	default:
		f.Detail = fmt.Sprintf("%s answers %d: whether the key is good cannot be told without spending", a.BaseURL, reply.Status)
	}
	return f
}
