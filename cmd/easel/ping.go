package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/easelqueue/easel/internal/human"
)

const pingHelp = `Ask the ` + "`easel up`" + ` of this machine whether it serves, at the port of EASEL_LISTEN.
It needs no shell, so that containers can use it as their health check. Services
that draw, database and Redis are not asked: ` + "`easel doctor`" + ` does that.`

func (a *app) pingCommand() *cobra.Command {
	return &cobra.Command{Use: "ping", Short: "Is `easel up` of this machine there? Exit code 0 or 1", Long: pingHelp, Args: takes(0, 0),
		Example: "  easel ping",
		RunE:    func(c *cobra.Command, _ []string) error { return a.ping(c.Context()) }}
}

// pinged is the answer of ping.
type pinged struct {
	URL string `json:"url"`
}

func (a *app) ping(ctx context.Context) error {
	cfg, err := loadConfig(a.env)
	if err != nil {
		return err
	}
	answer, began := pinged{pingURL(cfg.Listen)}, time.Now()
	if err := serves(ctx, cfg); err != nil {
		return err
	}
	return a.out.answer(answer, func(w io.Writer) {
		fmt.Fprintf(w, "%s answers in %s\n", answer.URL, human.English.Took(time.Since(began)))
	})
}

// serves returns nil if an easel answers at EASEL_LISTEN.
func serves(ctx context.Context, cfg config) error {
	ctx, cancel := context.WithTimeout(ctx, pingLimit)
	defer cancel()
	address := pingURL(cfg.Listen)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	req.Host = cfg.publicHost()                                                              // the pages answer to no other
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req) // through no proxy
	if err != nil {
		return fmt.Errorf("nobody serves at EASEL_LISTEN=%s: %w", cfg.Listen, errors.Unwrap(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %d, which is not easel's way", address, resp.StatusCode)
	}
	return nil
}

// pingURL is where a listener says that it is there.
func pingURL(listen string) string { return pageURL(listen, "/healthz") }

// pageURL is where a listener's page can be reached from its own machine.
func pageURL(listen, path string) string {
	host, port, _ := net.SplitHostPort(listen) // checked with the configuration
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port) + path
}
