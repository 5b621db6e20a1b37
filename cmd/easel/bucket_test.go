package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/easelqueue/easel/internal/config"
	"github.com/easelqueue/easel/internal/servertest"
	"github.com/easelqueue/easel/internal/throwaway"
	"github.com/easelqueue/easel/picture/s3"
	"github.com/easelqueue/easel/provider/providertest"
	"github.com/easelqueue/easel/task"
)

// bucketOn makes a bucket on the server and returns the config.Variables that name it.
func bucketOn(t *testing.T, server *throwaway.Server) []string {
	t.Helper()
	admin, err := minio.New(strings.TrimPrefix(server.URL, "http://"), &minio.Options{BucketLookup: minio.BucketLookupPath,
		Creds: credentials.NewStaticV4(throwaway.S3AccessKey, throwaway.S3SecretKey, "")})
	if err != nil {
		t.Fatal(err)
	}
	if err := admin.MakeBucket(t.Context(), "drama", minio.MakeBucketOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	return []string{"EASEL_PICTURES=s3://drama/easel", "EASEL_S3_ENDPOINT=" + server.URL, "EASEL_S3_REGION=us-east-1",
		"EASEL_S3_ACCESS_KEY=" + throwaway.S3AccessKey, "EASEL_S3_SECRET_KEY=" + throwaway.S3SecretKey}
}

func TestABucket(t *testing.T) {
	t.Parallel()
	t.Run("Of 200 paid tasks whose bucket goes away and comes back none is lost and none bought twice", func(t *testing.T) {
		t.Parallel()
		const n = 200
		server := servertest.S3(t)
		fake := providertest.StartAll()
		t.Cleanup(fake.Close)
		fake.Always(slow(100 * time.Millisecond))
		yaml := strings.Replace(openAIYAML(fake, 10), "    concurrency", "    base_delay: 200ms\n    max_delay: 2s\n    concurrency", 1)
		env := bucketOn(t, server)
		s := newSite(t, yaml, append(env, "FAKE_KEY=sk-test")...)
		s.start("worker")
		s.insert(n, "openai", nil)
		servertest.Eventually(t, 5*time.Minute, "a quarter is done", func() bool { return s.count(task.Completed) >= n/4 })
		if err := server.Kill(); err != nil {
			t.Fatal(err)
		}
		servertest.Eventually(t, 5*time.Minute, "tasks wait for the bucket", func() bool {
			return s.number("SELECT count(*) FROM image_generations WHERE waits > 0 AND error_kind = 'storage'") > 0
		})
		if err := server.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		servertest.Eventually(t, 5*time.Minute, "all ended", func() bool { return s.open() == 0 })
		if got := s.count(task.Completed); got != n {
			t.Errorf("%d of %d completed", got, n)
		}
		if submits, _ := fake.Count(""); submits != n {
			t.Errorf("%d calls for %d tasks", submits, n)
		}
		s.checkBucket(env, n)
	})
	t.Run("Pages send readers to a private bucket by addresses that live as long as they are told to", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, "providers: {}\n", append(bucketOn(t, servertest.S3(t)), "EASEL_S3_PRESIGN=1h")...)
		s.start("up").serves(t)
		address := strings.TrimSpace(s.easel(0, "enqueue", "一只红狐狸", "--wait", "--json"))
		var shown struct {
			Task struct {
				Image string `json:"image_url"`
				Minio string `json:"minio_url"`
			}
		}
		if err := json.Unmarshal([]byte(address), &shown); err != nil {
			t.Fatal(err)
		}
		follow := func(url string) (*http.Response, []byte) {
			resp, err := http.Get(url)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			return resp, body
		}
		resp, content := follow(shown.Task.Image)
		if resp.StatusCode != 200 || !bytes.HasPrefix(content, []byte("\x89PNG")) || !strings.HasPrefix(resp.Request.URL.String(), shown.Task.Minio+"?X-Amz-") ||
			resp.Request.URL.Query().Get("X-Amz-Expires") != "3600" {
			t.Errorf("%s leads to %s: %s, %d bytes", shown.Task.Image, resp.Request.URL, resp.Status, len(content))
		}
		if resp, _ := follow(shown.Task.Minio); resp.StatusCode != 403 {
			t.Errorf("the bucket is open: %s", resp.Status)
		}
	})
	t.Run("A worker with wrong keys does not start and says so, and doctor does", func(t *testing.T) {
		t.Parallel()
		server := servertest.S3(t)
		s := newSite(t, "providers: {}\n", bucketOn(t, server)...)
		s.env = append(s.env, "EASEL_S3_SECRET_KEY=canary-wrong")
		for _, command := range []string{"worker", "doctor"} {
			out := s.easel(1, command)
			if !strings.Contains(out, "the keys are not right") || strings.Contains(out, "canary-wrong") {
				t.Errorf("easel %s:\n%s", command, out)
			}
		}
	})
}

// checkBucket compares every row with what lies in the bucket.
func (s *testSite) checkBucket(env []string, want int) {
	s.t.Helper()
	vars := config.Variables(env)
	bucket, err := s3.New(s3.Config{Endpoint: vars["EASEL_S3_ENDPOINT"], Region: "us-east-1", Bucket: "drama", Prefix: "easel/",
		AccessKey: throwaway.S3AccessKey, SecretKey: throwaway.S3SecretKey})
	if err != nil {
		s.t.Fatal(err)
	}
	rows, err := s.tasks.DB().QueryContext(s.t.Context(), "SELECT storage_key, sha256, t.minio_url, coalesce(t.local_path, '') FROM generation_result r JOIN image_generations t ON t.id = r.task_id")
	if err != nil {
		s.t.Fatal(err)
	}
	defer rows.Close()
	found := 0
	for rows.Next() {
		var key, sum, address, path string
		if err := rows.Scan(&key, &sum, &address, &path); err != nil {
			s.t.Fatal(err)
		}
		found++
		r, err := bucket.Open(s.t.Context(), key)
		if err != nil {
			s.t.Errorf("%s: %v", key, err)
			continue
		}
		h := sha256.New()
		_, err = io.Copy(h, r)
		r.Close()
		if got := hex.EncodeToString(h.Sum(nil)); err != nil || got != sum {
			s.t.Errorf("%s holds %s, %v; its row says %s", key, got, err, sum)
		}
		if wantURL := vars["EASEL_S3_ENDPOINT"] + "/drama/easel/" + key; address != wantURL || path != "" {
			s.t.Errorf("minio_url is %s and local_path %q; want %s and none", address, path, wantURL)
		}
	}
	if err := rows.Err(); err != nil || found != want {
		s.t.Errorf("%d results, %v; want %d", found, err, want)
	}
}
