package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/easelqueue/easel/internal/config"
)

// Ping returns nil if an easel answers at EASEL_LISTEN.
func Ping(ctx context.Context, cfg config.Config) error {
	ctx, cancel := context.WithTimeout(ctx, pingLimit)
	defer cancel()
	address := PingURL(cfg)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	req.Host = cfg.PublicHost()                                                              // the pages answer to no other
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

// PingURL is where a listener says that it is there.
func PingURL(cfg config.Config) string { return cfg.PageURL("/healthz") }
