package s3

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/minio/minio-go/v7"

	"github.com/easelqueue/easel/picture"
)

// All returns every picture whose key begins with prefix, in the service's order. It
// ends with the first error.
func (s *Store) All(ctx context.Context, prefix string) iter.Seq2[picture.Object, error] {
	return func(yield func(picture.Object, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel() // ends the listing where the caller stops
		for o := range s.client.ListObjectsIter(ctx, s.bucket, minio.ListObjectsOptions{Prefix: s.prefix + prefix, Recursive: true}) {
			if o.Err != nil {
				yield(picture.Object{}, s.explain(prefix, o.Err))
				return
			}
			key := strings.TrimPrefix(o.Key, s.prefix)
			if picture.CheckKey(key) != nil {
				continue // none of ours
			}
			if !yield(picture.Object{Key: key, Size: o.Size, Modified: o.LastModified}, nil) {
				return
			}
		}
		if ctx.Err() != nil {
			yield(picture.Object{}, context.Cause(ctx))
		}
	}
}

// finds returns an error if the listing of what begins with the key does not hold it.
func (s *Store) finds(ctx context.Context, key string) error {
	for o, err := range s.All(ctx, key) {
		if err != nil {
			return fmt.Errorf("the bucket cannot be listed, which needs the right s3:ListBucket: %w", err)
		}
		if o.Key == key {
			return nil
		}
	}
	return errors.New("the bucket does not list what was just stored")
}

// Ready puts a picture, reads it, lists it and deletes it, and says what is wrong if that does
// not work.
func (s *Store) Ready(ctx context.Context) error {
	key := "easel-probe/" + rand.Text() + ".txt"
	want := []byte("can this bucket be written to?")
	if err := s.Put(ctx, key, bytes.NewReader(want), "text/plain"); err != nil {
		return err
	}
	r, err := s.Open(ctx, key)
	if err == nil {
		var got []byte
		got, err = io.ReadAll(r)
		if err == nil && !bytes.Equal(got, want) {
			err = errors.New("what was stored comes back changed")
		}
		r.Close()
	}
	if err == nil {
		err = s.finds(ctx, key)
	}
	return errors.Join(err, s.Delete(context.WithoutCancel(ctx), key))
}
