package provider

import (
	"time"

	"github.com/easelqueue/easel/task"
)

// Price is what one picture costs from a day on.
type Price struct {
	Model    string // empty matches every model
	Size     string // empty matches every size
	Quality  string // empty matches every quality
	From     time.Time
	Micros   int64 // millionths of Currency for one picture
	Currency string
	Version  string // what the attempt remembers, such as the date
}

// Prices is a table of prices. Of those that match, the most particular one
// counts, and of these the latest that has begun.
type Prices []Price

// Cost returns what the pictures cost at that time, or nil if the table does
// not say: unknown is never 0.
func (ps Prices) Cost(model, size, quality string, pictures int, at time.Time) *task.Money {
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
	return &task.Money{Micros: p.Micros * int64(pictures), Currency: p.Currency, Version: p.Version}
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
