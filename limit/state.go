package limit

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/easelqueue/easel/task"
)

const (
	// maxClosed is the longest that Close believes.
	maxClosed = 24 * time.Hour

	maxReason = 255 // bytes of why an account is closed

	// forget is how long after an opening of the breaker its failures still count.
	forget = 10 * time.Minute
)

// Status is where an account stands, by the clock of Redis.
type Status struct {
	ClosedUntil time.Time // zero if the account takes calls
	Why         Why       // why it is closed
	Eases       bool      // that ends by itself: a pause that the service asked for, or a breaker's
	Failures    int       // in a row
	InFlight    int       // slots taken; accounts without such a limit take none
}

// Why is what people are told of an account that is closed; it holds no secrets.
type Why struct {
	Reason string // a sentence
	Advice task.Advice
	About  string // the argument of Advice
}

// WhyOf is what people are told of an account that is closed for f.
func WhyOf(f *task.Failure) Why { return Why{Reason: f.Reason(), Advice: f.Advice, About: f.About} }

// args are those of the scripts that keep it.
func (w Why) args() []any { return []any{string(w.Advice), cut(w.About)} }

// Close refuses all calls to the account for d, for every worker, such as after
// a refused key. It never shortens a closing; d over maxClosed is cut, d of 0 or
// less does nothing.
func (l *Limiter) Close(ctx context.Context, account string, d time.Duration, why Why) error {
	return l.shut(ctx, account, d, why, "")
}

// Pause is Close for what ends by itself, such as a 429 with Retry-After.
func (l *Limiter) Pause(ctx context.Context, account string, d time.Duration, why Why) error {
	return l.shut(ctx, account, d, why, "1")
}

func (l *Limiter) shut(ctx context.Context, account string, d time.Duration, why Why, eases string) error {
	if d <= 0 {
		return nil
	}
	ms := max(min(d, maxClosed).Milliseconds(), 1)
	return l.run(ctx, account, shut, append([]any{ms, cut(why.Reason), eases}, why.args()...)...)
}

func cut(reason string) string {
	if len(reason) <= maxReason {
		return reason
	}
	return strings.ToValidUTF8(reason[:maxReason], "")
}

// Failed counts a failure of the kind that means that the service is broken.
// What the caller did wrong is none.
func (l *Limiter) Failed(ctx context.Context, account string, why Why) error {
	b := l.breaker()
	return l.run(ctx, account, fail, append([]any{b.Failures, b.Open.Milliseconds(), (b.Open + forget).Milliseconds(), cut(why.Reason)}, why.args()...)...)
}

// Succeeded says that the service works: its failures are forgotten and the
// breaker closes. A closing by Close stays.
func (l *Limiter) Succeeded(ctx context.Context, account string) error {
	if err := checkAccount(account); err != nil {
		return err
	}
	if err := l.Redis.Del(ctx, key(account, "breaker")).Err(); err != nil {
		return failed(account, err)
	}
	return nil
}

// Status says where the account stands.
func (l *Limiter) Status(ctx context.Context, account string) (Status, error) {
	if err := checkAccount(account); err != nil {
		return Status{}, err
	}
	answer, err := look.Run(ctx, l.Redis, keys(account)).Slice()
	if err != nil {
		return Status{}, failed(account, err)
	}
	shutUntil, openUntil := answer[0].(int64), answer[2].(int64)
	s := Status{Failures: int(answer[3].(int64)), InFlight: int(answer[4].(int64))}
	if until := max(shutUntil, openUntil); until > 0 {
		s.ClosedUntil = time.UnixMilli(until).UTC()
	}
	word := func(i int) string { return answer[i].(string) }
	switch {
	case shutUntil > 0:
		s.Why, s.Eases = Why{Reason: word(1), Advice: task.Advice(word(7)), About: word(8)}, word(5) == "1"
	case openUntil > 0:
		s.Why, s.Eases = Why{Reason: fmt.Sprintf("%d failures in a row", s.Failures), Advice: task.Advice(word(9)), About: word(10)}, true
		if last := word(6); last != "" {
			s.Why.Reason += ", the last: " + last
		}
	}
	return s, nil
}

func (l *Limiter) run(ctx context.Context, account string, s *redis.Script, args ...any) error {
	if err := checkAccount(account); err != nil {
		return err
	}
	if err := s.Run(ctx, l.Redis, keys(account), args...).Err(); err != nil {
		return failed(account, err)
	}
	return nil
}
