package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/easelqueue/easel/internal/servertest"
	"github.com/easelqueue/easel/internal/throwaway"
	"github.com/easelqueue/easel/picture"
	"github.com/easelqueue/easel/picture/picturetest"
)

func TestMain(m *testing.M) { servertest.NothingStays(m) }

const bucket = "pictures"

// config is that of a bucket on the server, which it creates.
func config(t *testing.T, server *throwaway.Server) Config {
	t.Helper()
	c := Config{Endpoint: server.URL, Region: "us-east-1", Bucket: bucket, AccessKey: throwaway.S3AccessKey, SecretKey: throwaway.S3SecretKey, BaseURL: "http://easel.test/pictures/"}
	admin, err := minio.New(strings.TrimPrefix(server.URL, "http://"), &minio.Options{Creds: credentials.NewStaticV4(c.AccessKey, c.SecretKey, ""), BucketLookup: minio.BucketLookupPath})
	if err != nil {
		t.Fatal(err)
	}
	if err := admin.MakeBucket(t.Context(), bucket, minio.MakeBucketOptions{}); err != nil && minio.ToErrorResponse(err).Code != "BucketAlreadyOwnedByYou" {
		t.Fatal(err)
	}
	own := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(own.CloseIdleConnections)
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	c.Transport = own
	return c
}

func open(t *testing.T, c Config) *Store {
	t.Helper()
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStore(t *testing.T) {
	server := servertest.S3(t)
	c := config(t, server)
	var stores atomic.Int64
	picturetest.Run(t, func(*testing.T) picture.Store {
		own := c
		own.Prefix = fmt.Sprintf("store-%d/", stores.Add(1)) // each claim begins with an empty store
		return open(t, own)
	})
}

func TestReady(t *testing.T) {
	server := servertest.S3(t)
	c := config(t, server)
	t.Run("A bucket that works is ready, and nothing stays in it", func(t *testing.T) {
		s := open(t, c)
		if err := s.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		for o, err := range s.All(t.Context(), "") {
			t.Errorf("%s, %v", o.Key, err)
		}
	})
	for claim, c := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"A bucket that does not exist":  {func(c *Config) { c.Bucket = "nowhere" }, "does not exist; create it"},
		"An access key that is unknown": {func(c *Config) { c.AccessKey = "nobody" }, "the keys are not right"},
		"A secret key that is wrong":    {func(c *Config) { c.SecretKey = "canary-secret" }, "the keys are not right"},
		"A port where nobody answers":   {func(c *Config) { c.Endpoint = "http://127.0.0.1:1" }, "connection refused"},
	} {
		t.Run(claim+" is named, and no key is", func(t *testing.T) {
			wrong := config(t, server)
			c.change(&wrong)
			s := open(t, wrong)
			err := s.Ready(t.Context())
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), wrong.Bucket) {
				t.Errorf("%v; want %q", err, c.want)
			}
			if text := fmt.Sprintf("%v %+v %#v %v %+v %#v", err, err, err, wrong, wrong, wrong); strings.Contains(text, wrong.SecretKey) {
				t.Errorf("the secret key is shown: %s", text)
			}
		})
	}
}

func TestNewNamesEveryMistake(t *testing.T) {
	_, err := New(Config{Endpoint: "s3.test", Bucket: "Up", Prefix: "a", SecretKey: "canary", PublicURL: "cdn"})
	for _, field := range []string{"endpoint", "bucket", "prefix", "keys", "public URL"} {
		if err == nil || !strings.Contains(err.Error(), field) || strings.Contains(err.Error(), "canary") {
			t.Errorf("New: %v; want it to name %s", err, field)
		}
	}
}

func TestLocate(t *testing.T) {
	c := Config{Endpoint: "https://s3.test", Bucket: bucket, Prefix: "easel/", AccessKey: "a", SecretKey: "s", BaseURL: "https://easel.test/pictures/"}
	for claim, x := range map[string]struct {
		change func(*Config)
		want   picture.Location
	}{
		"By path":      {func(*Config) {}, picture.Location{URL: "https://easel.test/pictures/1/%E7%8C%AB.png", ObjectURL: "https://s3.test/pictures/easel/1/%E7%8C%AB.png"}},
		"By host":      {func(c *Config) { c.HostStyle = true }, picture.Location{URL: "https://easel.test/pictures/1/%E7%8C%AB.png", ObjectURL: "https://pictures.s3.test/easel/1/%E7%8C%AB.png"}},
		"Behind a CDN": {func(c *Config) { c.PublicURL = "https://cdn.test/x/" }, picture.Location{URL: "https://cdn.test/x/easel/1/%E7%8C%AB.png", ObjectURL: "https://cdn.test/x/easel/1/%E7%8C%AB.png"}},
	} {
		own := c
		x.change(&own)
		if got := open(t, own).Locate("1/猫.png"); got != x.want {
			t.Errorf("%s: %+v", claim, got)
		}
	}
}

func TestOrigin(t *testing.T) {
	for claim, c := range map[string]struct {
		config Config
		want   string
	}{
		"of a server by path":    {Config{Endpoint: "http://minio.test:9000"}, "http://minio.test:9000"},
		"of a bucket's own host": {Config{Endpoint: "https://oss-cn-beijing.aliyuncs.com", HostStyle: true}, "https://drama.oss-cn-beijing.aliyuncs.com"},
		"of AWS":                 {Config{Endpoint: "https://s3.amazonaws.com"}, "https://*.amazonaws.com"},
	} {
		c.config.Bucket, c.config.Region, c.config.AccessKey, c.config.SecretKey = "drama", "eu-central-1", "ak", "sk"
		s, err := New(c.config)
		if err != nil {
			t.Fatal(err)
		}
		address, err := s.Presign(t.Context(), "1/1-0.png", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		scheme, suffix, wild := strings.Cut(s.Origin(), "://*")
		if got := u.Scheme + "://" + u.Host; s.Origin() != c.want || !wild && got != c.want || wild && (scheme != u.Scheme || !strings.HasSuffix(u.Host, suffix)) {
			t.Errorf("%s: %s, and an address is %s", claim, s.Origin(), got)
		}
	}
}

func TestPresign(t *testing.T) {
	s := open(t, config(t, servertest.S3(t)))
	if err := s.Put(t.Context(), "1/猫.png", strings.NewReader("meow"), "image/png"); err != nil {
		t.Fatal(err)
	}
	address, err := s.Presign(t.Context(), "1/猫.png", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for claim, c := range map[string]struct {
		url  string
		want int
	}{"as it is": {address, 200}, "with another signature": {address + "0", 403}, "without one": {strings.SplitN(address, "?", 2)[0], 403}} {
		resp, err := http.Get(c.url)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != c.want || c.want == 200 && (string(body) != "meow" || resp.Header.Get("Content-Type") != "image/png") {
			t.Errorf("an address %s: %d %q %s", claim, resp.StatusCode, body, resp.Header.Get("Content-Type"))
		}
	}
}

func TestOutage(t *testing.T) {
	server := servertest.S3(t)
	s := open(t, config(t, server))
	picture40 := bytes.Repeat([]byte("0123456789abcdef"), 40<<20/16)
	if err := s.Put(t.Context(), "1/old.png", bytes.NewReader(picture40), "image/png"); err != nil {
		t.Fatal(err)
	}
	reading, err := s.Open(t.Context(), "1/old.png")
	if err != nil {
		t.Fatal(err)
	}
	defer reading.Close()
	if _, err := io.ReadFull(reading, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err = s.Put(ctx, "1/new.png", &killing{Reader: bytes.NewReader(picture40), kill: func() {
		if err := server.Kill(); err != nil {
			t.Error(err)
		}
	}}, "image/png")
	if err == nil {
		t.Fatal("a picture was stored by a server that died")
	}
	if _, err := io.ReadAll(reading); err == nil {
		t.Error("a picture was read to its end from a server that died")
	}
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(t.Context(), "1/new.png"); !errors.Is(err, picture.ErrNotFound) {
		t.Errorf("half a picture is there: %v", err)
	}
	if got := len(all(t, s)); got != 1 {
		t.Errorf("%d pictures are listed", got)
	}
	if err := s.Put(t.Context(), "1/new.png", bytes.NewReader(picture40), "image/png"); err != nil {
		t.Errorf("after its return: %v", err)
	}
}

func all(t *testing.T, s *Store) (keys []string) {
	t.Helper()
	for o, err := range s.All(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, o.Key)
	}
	return keys
}

// killing is a picture in the middle of which the server dies.
type killing struct {
	*bytes.Reader
	kill func()
	done bool
}

func (k *killing) Read(p []byte) (int, error) {
	if !k.done && k.Reader.Len() < int(k.Reader.Size())/2 {
		k.done = true
		k.kill()
	}
	return k.Reader.Read(p)
}

func TestReplacedWhileRead(t *testing.T) {
	s := open(t, config(t, servertest.S3(t)))
	for _, data := range []string{strings.Repeat("a", 1000), strings.Repeat("b", 1000)} {
		if err := s.Put(t.Context(), "1/x.png", strings.NewReader(data), "image/png"); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(data, "b") {
			break
		}
		r, err := s.Open(t.Context(), "1/x.png")
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if got, err := io.ReadAll(r); err == nil && strings.Contains(string(got), "b") && strings.Contains(string(got), "a") {
				t.Errorf("a mixture was read: %.20s", got)
			}
			r.Close()
			if _, err := r.Read(make([]byte, 1)); err == nil {
				t.Error("a closed picture was read")
			}
		}()
	}
}
