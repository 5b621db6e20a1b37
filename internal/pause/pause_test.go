package pause_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/easelqueue/easel/internal/pause"
)

func TestFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if err := pause.For(t.Context(), time.Hour); err != nil || time.Since(began) != time.Hour {
			t.Errorf("it ended with %v after %s", err, time.Since(began))
		}
		broken := errors.New("broken")
		ctx, stop := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Minute, func() { stop(broken) })
		began = time.Now()
		if err := pause.For(ctx, time.Hour); !errors.Is(err, broken) || time.Since(began) != time.Minute {
			t.Errorf("it ended with %v after %s", err, time.Since(began))
		}
	})
}
