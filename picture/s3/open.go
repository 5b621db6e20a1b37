package s3

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/minio/minio-go/v7"

	"github.com/easelqueue/easel/picture"
)

// Open returns the picture as it is now. Who reads it from its beginning to its end
// reads that one, also if it is replaced meanwhile; after a seek elsewhere a replaced
// picture is an error, and no mixture. It is read under ctx.
func (s *Store) Open(ctx context.Context, key string) (io.ReadSeekCloser, error) {
	if err := accept(ctx, key); err != nil {
		return nil, err
	}
	body, info, _, err := minio.Core{Client: s.client}.GetObject(ctx, s.bucket, s.prefix+key, minio.GetObjectOptions{})
	if err != nil {
		return nil, s.explain(key, err)
	}
	return &object{store: s, ctx: ctx, key: key, size: info.Size, etag: info.ETag, body: body}, nil
}

// object is a picture in the bucket. It holds a context because readers have none.
type object struct {
	store *Store // nil when it is closed
	ctx   context.Context
	key   string
	size  int64
	etag  string

	at     int64         // where the reader is
	body   io.ReadCloser // what the service is sending; nil after an error
	bodyAt int64         // where that is
}

var errClosed = errors.New("read of a picture that is closed")

func (o *object) Read(p []byte) (int, error) {
	switch {
	case o.store == nil:
		return 0, errClosed
	case o.at >= o.size:
		return 0, io.EOF
	case o.body == nil || o.bodyAt != o.at:
		if err := o.fetch(); err != nil {
			return 0, err
		}
	}
	n, err := o.body.Read(p)
	o.at += int64(n)
	o.bodyAt = o.at
	if err == io.EOF && o.at < o.size {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// fetch asks for what comes after where the reader is.
func (o *object) fetch() error {
	o.drop()
	var options minio.GetObjectOptions
	err := errors.Join(options.SetMatchETag(o.etag), options.SetRange(o.at, o.size-1))
	if err == nil {
		o.body, _, _, err = minio.Core{Client: o.store.client}.GetObject(o.ctx, o.store.bucket, o.store.prefix+o.key, options)
	}
	if err != nil {
		o.body = nil
		return o.store.explain(o.key, err)
	}
	o.bodyAt = o.at
	return nil
}

// Seek asks nobody: only reading does.
func (o *object) Seek(offset int64, whence int) (int64, error) {
	if o.store == nil {
		return 0, errClosed
	}
	switch whence {
	case io.SeekCurrent:
		offset += o.at
	case io.SeekEnd:
		offset += o.size
	}
	if offset < 0 {
		return 0, fmt.Errorf("seek to %d of %q", offset, o.key)
	}
	o.at = offset
	return offset, nil
}

func (o *object) Close() error {
	o.drop()
	o.store = nil
	return nil
}

func (o *object) drop() {
	if o.body != nil {
		o.body.Close()
		o.body = nil
	}
}

var _ io.ReadSeekCloser = (*object)(nil)

// explain says what the service's error means, where it lies and what its owner can
// do about it. Nil stays nil.
func (s *Store) explain(key string, err error) error {
	if err == nil {
		return nil
	}
	where := fmt.Sprintf("bucket %s at %s", s.bucket, s.client.EndpointURL().Host)
	advice := ""
	switch said := minio.ToErrorResponse(err); said.Code {
	case "NoSuchKey":
		return fmt.Errorf("%q: %w", key, picture.ErrNotFound)
	case "NoSuchBucket":
		advice = "it does not exist; create it, or name another"
	case "SecondLevelDomainForbidden", "PathStyleDomainForbidden", "VirtualHostDomainRequired", "InvalidPathAccess": // OSS, COS, OBS, TOS
		advice = "it wants the bucket in the host's name and not in the path; the keys may be right: set EASEL_S3_STYLE=host"
	case "PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed":
		advice = "the bucket is at another endpoint or in another region; name its own in EASEL_S3_ENDPOINT and EASEL_S3_REGION"
	case "AccessDenied", "AllAccessDisabled":
		advice = "the keys may not do this there"
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "XAdminUserNotFound":
		advice = "the keys are not right"
	case "RequestTimeTooSkewed":
		advice = "this machine's clock is wrong"
	case "XMinioStorageFull", "QuotaExceeded", "InsufficientStorage":
		advice = "it is full"
	case "PreconditionFailed":
		advice = "the picture was replaced while it was read"
	default:
		if said.StatusCode == 404 && said.Code == "" {
			return fmt.Errorf("%q: %w", key, picture.ErrNotFound)
		}
		if said.StatusCode != 403 {
			return fmt.Errorf("%s: %w", where, err)
		}
		advice = "the keys are not right"
	}
	return fmt.Errorf("%s: %s: %w", where, advice, err)
}
