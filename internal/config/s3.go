package config

import (
	"fmt"
	"time"

	"github.com/easelqueue/easel/internal/human"
	"github.com/easelqueue/easel/provider"
)

// s3Settings say where the bucket is, if EASEL_PICTURES names one.
var s3Settings = []Setting{
	{
		Name: "EASEL_S3_ENDPOINT", Help: "http or https URL of the S3 service that has the bucket (https://s3.amazonaws.com)",
		accepted: "accepted is an http or https URL of a host", fallback: constant("https://s3.amazonaws.com"),
		set: func(c *Config, v string) error { return setURL(&c.S3.Endpoint, v) },
	}, {
		Name: "EASEL_S3_REGION", Help: "region of the bucket (the service is asked)", accepted: "accepted is a region's name",
		fallback: constant(""), set: func(c *Config, v string) error { return setPath(&c.S3.Region, v) },
	}, {
		Name: "EASEL_S3_STYLE", Help: "the bucket's name is part of the path or of the host (path)", accepted: "accepted are path and host",
		fallback: constant("path"), set: setS3Style,
	}, {
		Name: "EASEL_S3_ACCESS_KEY", Help: "access key for the bucket", accepted: "accepted is printable text without spaces",
		fallback: constant(""), set: func(c *Config, v string) error { return setSecret(&c.S3.AccessKey, v) },
	}, {
		Name: "EASEL_S3_SECRET_KEY", Help: "secret key for the bucket", accepted: "accepted is printable text without spaces",
		fallback: constant(""), set: func(c *Config, v string) error { return setSecret(&c.S3.SecretKey, v) },
	}, {
		Name: "EASEL_S3_PUBLIC_URL", Help: "where anybody may read the bucket's objects, such as a CDN (nobody may; easel serves them)",
		accepted: "accepted is an http or https URL without user, query and fragment", fallback: constant(""),
		set: func(c *Config, v string) error { return setURL(&c.S3.PublicURL, v) },
	}, {
		Name: "EASEL_S3_PRESIGN", Help: "readers of pictures are sent to the bucket, by presigned addresses that live so long, such as 1h (easel serves the pictures)",
		accepted: "accepted are durations from 1m to 7d, such as 1h", fallback: constant(""), set: setLend,
	},
}

func setSecret(to *provider.Secret, v string) error {
	*to = provider.Secret(v)
	return to.Check()
}

func setS3Style(c *Config, v string) error {
	switch v {
	case "path", "host":
		c.S3.HostStyle = v == "host"
		return nil
	}
	return fmt.Errorf("is %q", v)
}

const (
	minLend = time.Minute
	maxLend = 7 * 24 * time.Hour // no longer may a presigned address live
)

func setLend(c *Config, v string) (err error) {
	if v == "" {
		return nil
	}
	if c.S3.Lend, err = human.ParseDuration(v); err != nil || c.S3.Lend < minLend || c.S3.Lend > maxLend {
		return fmt.Errorf("is %q", v)
	}
	return nil
}
