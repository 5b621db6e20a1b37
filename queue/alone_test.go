package queue

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/hibiken/asynq"

	"github.com/easelqueue/easel/internal/servertest"
)

// BenchmarkAsynqAlone is asynq with its defaults and a handler that does
// nothing, without a database: what the engine under easel costs by itself.
func BenchmarkAsynqAlone(b *testing.B) {
	address := servertest.Redis(b).URL
	connection, err := asynq.ParseRedisURI(address)
	if err != nil {
		b.Fatal(err)
	}
	client := asynq.NewClient(connection)
	defer client.Close()
	var handled atomic.Int64
	done := make(chan struct{}, 1)
	server := asynq.NewServer(connection, asynq.Config{Concurrency: 64, LogLevel: asynq.FatalLevel})
	const batch = 1000
	handler := asynq.HandlerFunc(func(context.Context, *asynq.Task) error {
		if handled.Add(1)%batch == 0 {
			done <- struct{}{}
		}
		return nil
	})
	if err := server.Start(handler); err != nil {
		b.Fatal(err)
	}
	defer server.Shutdown()
	for b.Loop() {
		for i := range batch {
			if _, err := client.EnqueueContext(b.Context(), asynq.NewTask("image", []byte(strconv.Itoa(i)))); err != nil {
				b.Fatal(err)
			}
		}
		<-done
	}
	b.ReportMetric(batch*float64(b.N)/b.Elapsed().Seconds(), "tasks/s")
}
