//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// Report is all that a run has measured.
type Report struct {
	Plan    plan                            `json:"plan"`
	Machine Machine                         `json:"machine"`
	Values  map[string]map[string][]float64 `json:"values"` // by contender and figure, one for each round
}

// run measures by turns: in each round everybody does the same before the next thing is measured.
func (p plan) run(ctx context.Context) (r *Report, err error) {
	s, err := start(ctx, p.Profile != "")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	r = &Report{Plan: p, Values: map[string]map[string][]float64{}}
	for _, name := range p.Only {
		r.Values[name] = map[string][]float64{}
		if err := s.prepare(ctx, name); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if r.Machine, err = s.machine(ctx); err != nil {
		return nil, err
	}
	for round := range p.Rounds {
		for _, what := range p.Measure {
			for i := range p.Only {
				name := p.Only[(i+round)%len(p.Only)] // nobody is always the first
				fmt.Fprintf(os.Stderr, "round %d of %d: %s of %s\n", round+1, p.Rounds, what, titles[name])
				m := &measurement{plan: p, servers: s, name: name, contender: contenders[name], values: r.Values[name]}
				if err := m.take(ctx, what); err != nil {
					return nil, fmt.Errorf("%s of %s: %w", what, titles[name], err)
				}
			}
		}
	}
	return r, nil
}

// measurement is one measure of one contender.
type measurement struct {
	plan
	contender
	*servers
	name   string
	values map[string][]float64

	at site
	producer
}

func (m *measurement) note(figure string, value float64) {
	m.values[figure] = append(m.values[figure], value)
}

func (m *measurement) take(ctx context.Context, what string) (err error) {
	if m.at, err = m.fresh(ctx, m.name); err != nil {
		return err
	}
	if m.producer, err = m.Produce(ctx, m.at); err != nil {
		return err
	}
	defer m.producer.Close()
	switch what {
	case "drain":
		return m.drain(ctx)
	case "enqueue":
		return m.enqueue(ctx)
	default:
		return m.pickup(ctx)
	}
}

// hire starts a worker on the site.
func (m *measurement) hire(o orders) (*worker, error) {
	o.Name, o.Site, o.Slots = m.name, m.at, m.Slots
	return hire(o)
}
