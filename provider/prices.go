package provider

import (
	"slices"
	"time"

	"github.com/easelqueue/easel/task"
)

// Price is what drawing costs from a day on: so much a picture, so much a token, or both.
type Price struct {
	Model    string // empty matches every model
	Size     string // empty matches every size
	Quality  string // empty matches every quality
	From     time.Time
	Micros   int64 // millionths of Currency for one picture
	Input    int64 // millionths of Currency for a million tokens that go in
	Output   int64 // millionths of Currency for a million tokens that come out
	Currency string
	Version  string // what the attempt remembers, such as the date
}

// Usage is what a service says that a call has used.
type Usage struct {
	InputTokens  int64
	OutputTokens int64
}

// Prices is a table of prices. Of those that match, the most particular one
// counts, and of these the latest that has begun.
type Prices []Price

// Cost returns what the pictures cost at that time, or nil if the table does not say,
// or the service has not said what the price counts: unknown is never 0.
func (ps Prices) Cost(model, size, quality string, pictures int, used *Usage, at time.Time) *task.Money {
	best, bestRank := -1, -1
	for i, p := range ps {
		rank := p.rank(model, size, quality)
		if rank < 0 || p.From.After(at) {
			continue
		}
		if rank > bestRank || rank == bestRank && p.From.After(ps[best].From) {
			best, bestRank = i, rank
		}
	}
	if best < 0 {
		return nil
	}
	p := ps[best]
	micros := p.Micros * int64(pictures)
	if p.Input > 0 || p.Output > 0 {
		if used == nil {
			return nil
		}
		micros += p.tokens(*used)
	}
	return &task.Money{Micros: micros, Currency: p.Currency, Version: p.Version}
}

// ByModel reports whether some price is that of one model.
func (ps Prices) ByModel() bool {
	return slices.ContainsFunc(ps, func(p Price) bool { return p.Model != "" })
}

// maxTokens is more than any call uses; it keeps the product within an int64.
const maxTokens = 100_000_000

// tokens rounds up to the millionth: what is counted is never cheaper than it is.
func (p Price) tokens(used Usage) int64 {
	count := func(n int64) int64 { return max(0, min(n, maxTokens)) }
	const million = 1_000_000
	total := count(used.InputTokens)*p.Input + count(used.OutputTokens)*p.Output
	return (total + million - 1) / million
}

// rank counts the fields in which p is particular, or is -1 if it does not match.
func (p Price) rank(model, size, quality string) int {
	n := 0
	for _, f := range [][2]string{{p.Model, model}, {p.Size, size}, {p.Quality, quality}} {
		switch f[0] {
		case "":
		case f[1]:
			n++
		default:
			return -1
		}
	}
	return n
}
