package main

import (
	"context"
	"strings"
	"time"

	"github.com/easelqueue/easel/picture/s3"
	"github.com/easelqueue/easel/provider"
)

// s3Place is the service that has the bucket, and the keys for it.
type s3Place struct {
	Endpoint  string
	Region    string
	HostStyle bool
	AccessKey provider.Secret
	SecretKey provider.Secret
	PublicURL string
	Lend      time.Duration // how long presigned addresses live; 0 lets easel serve the pictures itself
}

const bucketScheme = "s3://"

// inBucket reports whether the pictures are kept in a bucket and not in a folder.
func (c *config) inBucket() bool { return strings.HasPrefix(c.Pictures, bucketScheme) }

// bucket is where the pictures are, served at that address.
func (c *config) bucket(at string) s3.Config {
	name, prefix, _ := strings.Cut(strings.TrimPrefix(c.Pictures, bucketScheme), "/")
	if prefix != "" && !strings.HasSuffix(prefix, "/") {
		prefix += "/"
	}
	return s3.Config{Endpoint: c.S3.Endpoint, Region: c.S3.Region, Bucket: name, Prefix: prefix, HostStyle: c.S3.HostStyle,
		AccessKey: c.S3.AccessKey.Reveal(), SecretKey: c.S3.SecretKey.Reveal(), BaseURL: at, PublicURL: c.S3.PublicURL}
}

// checkPictures tries the place of the pictures: the folder, or the bucket.
func checkPictures(ctx context.Context, cfg config) finding {
	if !cfg.inBucket() {
		return checkFolder("picture folder", cfg.Pictures)
	}
	f := finding{Check: "picture bucket", Result: fine, Detail: cfg.Pictures + " at " + cfg.S3.Endpoint + " takes and gives pictures"}
	bucket, err := s3.New(cfg.bucket(cfg.PublicURL + "/pictures"))
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, checkTimeout)
		defer cancel()
		err = bucket.Ready(ctx)
	}
	if err != nil {
		f.Result, f.Detail, f.Do = bad, err.Error(), "Check EASEL_PICTURES and the EASEL_S3_ variables"
	}
	return f
}
