// Package s3 keeps pictures in a bucket of an S3 service: MinIO, AWS S3, Cloudflare
// R2, Alibaba OSS and others that speak its API.
package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/easelqueue/easel/picture"
)

const (
	// maxSpool bounds what a Put of a reader that cannot be rewound holds in memory.
	maxSpool = 64 << 20
	// maxLent is the longest life of an address that the API allows to sign.
	maxLent = 7 * 24 * time.Hour
	retries = 3
)

// Config is one bucket.
type Config struct {
	Endpoint  string // http or https URL of the service, such as https://s3.eu-central-1.amazonaws.com
	Region    string // empty asks the service
	Bucket    string
	Prefix    string // before every key; empty or ending with a slash
	AccessKey string
	SecretKey string `json:"-"`
	HostStyle bool   // the bucket is part of the host's name, as AWS and OSS want it, and not of the path

	BaseURL   string // where picture.Handler serves the store
	PublicURL string // where anybody may read the objects, such as a CDN; empty if nobody may

	Transport http.RoundTripper // default one with timeouts that suit pictures
}

// String shows no key.
func (c Config) String() string { return c.Endpoint + "/" + c.Bucket + "/" + c.Prefix }

// GoString shows no key.
func (c Config) GoString() string { return c.String() }

// Store is a picture.Store in a bucket.
type Store struct {
	client *minio.Client
	bucket string
	prefix string
	base   string // of our own addresses
	object string // of the objects' addresses
	origin string // of presigned addresses
	public bool
}

var (
	_ picture.Lister = (*Store)(nil)
	_ picture.Lender = (*Store)(nil)

	bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
)

// New checks c and returns its store. It asks nobody: see Ready. The error names
// every field that is wrong, and no key.
func New(c Config) (*Store, error) {
	endpoint, err := c.check()
	if err != nil {
		return nil, fmt.Errorf("s3: %w", err)
	}
	lookup := minio.BucketLookupPath
	if c.HostStyle {
		lookup = minio.BucketLookupDNS
	}
	client, err := minio.New(endpoint.Host, &minio.Options{Creds: credentials.NewStaticV4(c.AccessKey, c.SecretKey, ""), Secure: endpoint.Scheme == "https",
		Region: c.Region, BucketLookup: lookup, Transport: transport(c.Transport), MaxRetries: retries})
	if err != nil {
		return nil, fmt.Errorf("s3: %w", err)
	}
	s := &Store{client: client, bucket: c.Bucket, prefix: c.Prefix, base: strings.TrimRight(c.BaseURL, "/"), public: c.PublicURL != ""}
	s.object, s.origin = c.addresses(endpoint)
	return s, nil
}

// check returns the endpoint, or what is wrong with c.
func (c Config) check() (*url.URL, error) {
	var errs []error
	endpoint, err := url.Parse(c.Endpoint)
	if err != nil || endpoint.Scheme != "http" && endpoint.Scheme != "https" || endpoint.Host == "" || endpoint.User != nil || strings.Trim(endpoint.Path, "/") != "" || endpoint.RawQuery != "" {
		errs = append(errs, errors.New("endpoint: not an http or https URL of a host alone"))
	}
	if !bucketName.MatchString(c.Bucket) {
		errs = append(errs, fmt.Errorf("bucket: is %.70q; accepted are 3 to 63 of a-z, 0-9, dots and hyphens", c.Bucket))
	}
	if c.Prefix != "" && (!strings.HasSuffix(c.Prefix, "/") || picture.CheckKey(strings.TrimSuffix(c.Prefix, "/")) != nil) {
		errs = append(errs, fmt.Errorf("prefix: is %.70q; accepted is a path that ends with a slash", c.Prefix))
	}
	if c.AccessKey == "" || c.SecretKey == "" {
		errs = append(errs, errors.New("keys: access key or secret key is missing"))
	}
	if c.PublicURL != "" {
		if u, err := url.Parse(c.PublicURL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" {
			errs = append(errs, errors.New("public URL: not an http or https URL"))
		}
	}
	return endpoint, errors.Join(errs...)
}

// addresses returns what the objects' own addresses begin with, and the origin of
// presigned ones.
func (c Config) addresses(endpoint *url.URL) (object, origin string) {
	service, hosted := endpoint.Scheme+"://"+endpoint.Host, endpoint.Scheme+"://"+c.Bucket+"."+endpoint.Host
	switch {
	case c.PublicURL != "":
		object = strings.TrimRight(c.PublicURL, "/")
	case c.HostStyle:
		object = hosted
	default:
		object = service + "/" + c.Bucket
	}
	switch {
	case strings.HasSuffix(endpoint.Hostname(), ".amazonaws.com"): // the client picks the host of the region
		origin = endpoint.Scheme + "://*.amazonaws.com"
	case c.HostStyle:
		origin = hosted
	default:
		origin = service
	}
	return object, origin
}

// Put sends the picture in one request, which the service takes whole or not at all.
func (s *Store) Put(ctx context.Context, key string, r io.Reader, contentType string) error {
	if err := accept(ctx, key); err != nil {
		return err
	}
	body, size, err := measured(ctx, r)
	if err != nil {
		return err
	}
	if size == 0 {
		return picture.ErrEmpty
	}
	src := &source{r: picture.Until(ctx, body)}
	_, err = s.client.PutObject(ctx, s.bucket, s.prefix+key, src, size, minio.PutObjectOptions{ContentType: contentType, DisableMultipart: true,
		CacheControl: "private, max-age=31536000, immutable"})
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case src.err != nil:
		return fmt.Errorf("read the picture to be stored: %w", src.err)
	}
	return s.explain(key, err)
}

// measured returns what is left of r and how long it is. What cannot be rewound is
// read into memory.
func measured(ctx context.Context, r io.Reader) (io.Reader, int64, error) {
	if seeker, ok := r.(io.Seeker); ok {
		at, err := seeker.Seek(0, io.SeekCurrent)
		if err == nil {
			var end int64
			if end, err = seeker.Seek(0, io.SeekEnd); err == nil {
				_, err = seeker.Seek(at, io.SeekStart)
			}
			return r, end - at, err
		}
	}
	spooled, err := io.ReadAll(io.LimitReader(picture.Until(ctx, r), maxSpool+1))
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, 0, context.Cause(ctx)
	case err != nil:
		return nil, 0, fmt.Errorf("read the picture to be stored: %w", err)
	case len(spooled) > maxSpool:
		return nil, 0, fmt.Errorf("the picture has more than %d bytes", maxSpool)
	}
	return bytes.NewReader(spooled), int64(len(spooled)), nil
}

// source remembers that reading failed, which is not the service's fault.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// Delete removes the picture.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := accept(ctx, key); err != nil {
		return err
	}
	err := s.explain(key, s.client.RemoveObject(ctx, s.bucket, s.prefix+key, minio.RemoveObjectOptions{}))
	if errors.Is(err, picture.ErrNotFound) {
		return nil
	}
	return err
}

// Locate says where the picture is served and where its object lies. Where anybody
// may read the objects, that is the picture's address.
func (s *Store) Locate(key string) picture.Location {
	at := picture.Location{URL: s.base + escaped(key), ObjectURL: s.object + escaped(s.prefix+key)}
	if s.public {
		at.URL = at.ObjectURL
	}
	return at
}

func escaped(key string) string { return (&url.URL{Path: "/" + key}).EscapedPath() }

// Origin is the scheme and the host of the addresses that Presign returns; those of
// AWS have a * for the region and what else the client puts before the domain.
func (s *Store) Origin() string { return s.origin }

// Presign returns an address under which anybody can read the picture for that long,
// 7 days at most.
func (s *Store) Presign(ctx context.Context, key string, life time.Duration) (string, error) {
	if err := accept(ctx, key); err != nil {
		return "", err
	}
	u, err := s.client.PresignedGetObject(ctx, s.bucket, s.prefix+key, min(max(life, time.Second), maxLent), nil)
	if err != nil {
		return "", s.explain(key, err)
	}
	return u.String(), nil
}

func accept(ctx context.Context, key string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return picture.CheckKey(key)
}
