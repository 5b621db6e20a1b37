package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

func TestABucketThatIsSlowToListIsNotEndedByWhatOthersWaitFor(t *testing.T) {
	t.Parallel()
	s := newSite(t, "providers:\n  sketch: {}\n")
	s.easel(0, "enqueue", "a boat")
	app, err := s.tasks.DB().Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer app.Rollback()
	s.exec(app, "UPDATE image_generations SET user_id = 7")
	waiting, stop := context.WithCancel(t.Context())
	var waiter sync.WaitGroup
	waiter.Go(func() { _, _ = s.tasks.DB().ExecContext(waiting, "UPDATE image_generations SET user_id = 8") })
	defer waiter.Wait()
	defer stop()
	bucket := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := s.tasks.DB().ExecContext(r.Context(), "SELECT pg_sleep(7)"); err != nil {
			t.Error(err)
		}
		fmt.Fprint(w, `<ListBucketResult><Name>drama</Name><IsTruncated>false</IsTruncated></ListBucketResult>`)
	}))
	defer bucket.Close()
	s.env = append(s.env, "EASEL_PICTURES=s3://drama/easel", "EASEL_S3_ENDPOINT="+bucket.URL, "EASEL_S3_REGION=us-east-1", "EASEL_S3_ACCESS_KEY=a", "EASEL_S3_SECRET_KEY=b")
	s.easel(0, "pictures", "gc")
}
