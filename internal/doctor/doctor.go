// Package doctor looks at a machine, its configuration, the servers and the providers' keys,
// and says what it has found and what to do. It changes nothing and prints nothing.
package doctor

import (
	"context"
	"time"

	"github.com/easelqueue/easel/internal/config"
)

// Severity is how bad a finding is.
type Severity string

const (
	OK   Severity = "ok"
	Warn Severity = "warn" // works, but should be looked at
	Fail Severity = "fail" // easel cannot work like that
)

// Finding is what one check found.
type Finding struct {
	Check  string   `json:"check"`
	Result Severity `json:"result"`
	Detail string   `json:"detail"`       // what was found
	Do     string   `json:"do,omitempty"` // what to do about it
}

// Diagnosis is the answer of doctor.
type Diagnosis struct {
	Healthy       bool              `json:"healthy"` // nothing fails
	Findings      []Finding         `json:"findings"`
	Configuration map[string]string `json:"configuration"` // in effect, without secrets
}

// checkTimeout bounds each check that goes over a network.
const checkTimeout = 10 * time.Second

func (d *Diagnosis) add(findings ...Finding) {
	for _, f := range findings {
		d.Findings = append(d.Findings, f)
		d.Healthy = d.Healthy && f.Result != Fail
	}
}

// Examine looks at everything. It draws nothing and spends nothing, and bounds what goes
// over a network.
func Examine(ctx context.Context, cfg config.Config) Diagnosis {
	d := Diagnosis{Healthy: true, Configuration: cfg.Effective()}
	d.add(examine(ctx, cfg)...)
	return d
}

// OfMistakes is the diagnosis of a configuration that cannot be read.
func OfMistakes(cfg config.Config, err error) Diagnosis {
	d := Diagnosis{Healthy: true, Configuration: cfg.Effective()}
	if err != nil {
		d.add(configFindings(err)...)
	}
	return d
}

func examine(ctx context.Context, cfg config.Config) []Finding {
	all := []Finding{{Check: "configuration", Result: OK, Detail: "no mistakes" + fileNote(cfg)}}
	for _, note := range cfg.Notes {
		all = append(all, Finding{Check: "configuration", Result: Warn, Detail: note})
	}
	all = append(all, checkFolder("data folder", cfg.Data), checkPictures(ctx, cfg), checkSpool(cfg.Spool()))
	all = append(all, checkDatabase(ctx, cfg)...)
	all = append(all, checkRedis(ctx, cfg)...)
	all = append(all, checkWaits(ctx, cfg)...)
	return append(all, checkProviders(ctx, cfg)...)
}

func fileNote(cfg config.Config) string {
	if cfg.File == "" {
		return ", no easel.yaml"
	}
	return " in the environment and in " + cfg.File
}

func configFindings(err error) []Finding {
	var all []Finding
	for _, m := range config.MistakesOf(err) {
		all = append(all, Finding{Check: "configuration", Result: Fail, Detail: m.Error(), Do: "Mend it; the other checks need it"})
	}
	return all
}
