package config

import (
	"strings"
	"time"

	"github.com/easelqueue/easel/picture/s3"
	"github.com/easelqueue/easel/provider"
)

// S3 is the service that has the bucket, and the keys for it.
type S3 struct {
	Endpoint  string
	Region    string
	HostStyle bool
	AccessKey provider.Secret
	SecretKey provider.Secret
	PublicURL string
	Lend      time.Duration // how long presigned addresses live; 0 lets easel serve the pictures itself
}

const bucketScheme = "s3://"

// InBucket reports whether the pictures are kept in a bucket and not in a folder.
func (c *Config) InBucket() bool { return strings.HasPrefix(c.Pictures, bucketScheme) }

// Bucket is where the pictures are, served at that address.
func (c *Config) Bucket(at string) s3.Config {
	name, prefix, _ := strings.Cut(strings.TrimPrefix(c.Pictures, bucketScheme), "/")
	if prefix != "" && !strings.HasSuffix(prefix, "/") {
		prefix += "/"
	}
	return s3.Config{Endpoint: c.S3.Endpoint, Region: c.S3.Region, Bucket: name, Prefix: prefix, HostStyle: c.S3.HostStyle,
		AccessKey: c.S3.AccessKey.Reveal(), SecretKey: c.S3.SecretKey.Reveal(), BaseURL: at, PublicURL: c.S3.PublicURL}
}
