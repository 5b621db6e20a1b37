// Package picture is where finished pictures live: the Store that keeps their
// bytes, the keys that it keeps them under, and the handler that serves them. What is in a
// picture package codec looks at.
package picture

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"
)

// ErrNotFound says that no picture is stored under the key.
var ErrNotFound = errors.New("picture not found")

// Store keeps pictures under keys such as "81234/5-0.png". Implementations are
// safe for concurrent use and pass picturetest.
type Store interface {
	// Put stores all of r under key and returns when it is durable: a reader sees
	// the whole picture or none, also after a power loss. Putting the same key
	// again replaces it. When r or ctx fails, or r is empty, nothing is stored
	// and what was there stays. A key that CheckKey refuses is refused.
	Put(ctx context.Context, key string, r io.Reader, contentType string) error

	// Open returns the picture, or ErrNotFound. The caller closes it.
	Open(ctx context.Context, key string) (io.ReadSeekCloser, error)

	// Delete removes the picture. A key that is not there is no error.
	Delete(ctx context.Context, key string) error

	// Locate says where people and programs find the picture.
	Locate(key string) Location
}

// Lister is a Store that knows what it holds.
type Lister interface {
	Store

	// All returns every picture whose key begins with prefix, in any order. What is
	// put or deleted meanwhile may be among them or not. It ends with the first
	// error, and with ctx.
	All(ctx context.Context, prefix string) iter.Seq2[Object, error]
}

// Lender is a Store that can let others at its pictures for a while.
type Lender interface {
	Store

	// Presign returns an address under which anybody can read the picture for that
	// long. Whether there is such a picture is not looked at.
	Presign(ctx context.Context, key string, life time.Duration) (string, error)

	// Origin is the scheme and the host of these addresses, with a * for the names
	// that the service chooses itself.
	Origin() string
}

// Object is a picture as a Lister knows it.
type Object struct {
	Key      string
	Size     int64
	Modified time.Time
}

// Location is where a picture can be found.
type Location struct {
	URL       string // our own address of it
	LocalPath string // its absolute path on this machine, if it lies on a disk
	ObjectURL string // its address in object storage, if it lies there
}
