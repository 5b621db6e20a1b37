package dir

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"path"
	"strings"

	"github.com/easelqueue/easel/picture"
)

// All returns every picture whose key begins with prefix, folder by folder.
func (s *Store) All(ctx context.Context, prefix string) iter.Seq2[picture.Object, error] {
	return func(yield func(picture.Object, error) bool) {
		err := fs.WalkDir(s.root.FS(), path.Dir(prefix), func(key string, e fs.DirEntry, err error) error {
			switch {
			case ctx.Err() != nil:
				return context.Cause(ctx)
			case errors.Is(err, fs.ErrNotExist):
				return nil // somebody was faster
			case err != nil:
				return s.explain(err)
			case e.IsDir() && key != "." && !strings.HasPrefix(prefix, key+"/") && !strings.HasPrefix(key+"/", prefix):
				return fs.SkipDir
			case e.IsDir() && key == drafts:
				return fs.SkipDir
			case !e.Type().IsRegular() || !strings.HasPrefix(key, prefix) || picture.CheckKey(key) != nil:
				return nil
			}
			info, err := e.Info()
			if err != nil {
				return nil // it is gone
			}
			if !yield(picture.Object{Key: key, Size: info.Size(), Modified: info.ModTime()}, nil) {
				return errStopped
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStopped) {
			yield(picture.Object{}, err)
		}
	}
}

// errStopped ends a walk whose caller has seen enough.
var errStopped = errors.New("stopped")
