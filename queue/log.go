package queue

import (
	"fmt"
	"strings"

	"github.com/hibiken/asynq"
	"github.com/rs/zerolog"
)

func (r *run) log(d Delivery) *zerolog.Event {
	return r.Queue.Log.Error().Int64("task", d.Task).Int("delivery", d.Delivery)
}

// asynqLog lets asynq speak through zerolog, one level lower where it reports
// its daily business.
type asynqLog struct{ zerolog.Logger }

func (l asynqLog) Debug(args ...any) { l.Trace().Msg(asynqText(args)) }

func (l asynqLog) Info(args ...any) { l.Logger.Debug().Msg(asynqText(args)) }

// Warn is silent about archived deliveries: asynq calls each of them a retry
// that is exhausted, which is not why they were archived.
func (l asynqLog) Warn(args ...any) {
	text := asynqText(args)
	if strings.HasPrefix(text, "asynq: Retry exhausted") {
		return
	}
	l.Logger.Warn().Msg(text)
}

func (l asynqLog) Error(args ...any) { l.Logger.Error().Msg(asynqText(args)) }

// Fatal does not end the process, which belongs to its owner.
func (l asynqLog) Fatal(args ...any) { l.Logger.Error().Msg(asynqText(args)) }

func asynqText(args []any) string { return "asynq: " + fmt.Sprint(args...) }

// asynqLevel spares asynq the texts that nobody will see: at its debug level it
// writes one for every look at empty queues.
func asynqLevel(l zerolog.Logger) asynq.LogLevel {
	switch level := l.GetLevel(); {
	case level <= zerolog.TraceLevel:
		return asynq.DebugLevel
	case level <= zerolog.DebugLevel:
		return asynq.InfoLevel
	}
	return asynq.WarnLevel
}
