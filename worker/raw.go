package worker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"

	"github.com/easelqueue/easel/picture"
	"github.com/easelqueue/easel/picture/codec"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

// storeRaw stores bytes that no decoder takes as they came, beside the task's pictures,
// and puts their key into the output. Of what came at several times the most is kept.
// Object storage gets no type that a browser would run or show.
func (s *step) storeRaw(ctx context.Context, file io.ReadSeeker, out *provider.Output, bad *codec.Error) (*task.RawFile, error) {
	ctx, cancel := context.WithTimeout(ctx, keepTimeout)
	defer cancel()
	sum := sha256.New()
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	size, err := io.Copy(sum, file)
	if err != nil {
		return nil, err
	}
	k := &task.RawFile{Position: s.before + out.Position, ContentType: bad.Info.ContentType, FileSize: size, SHA256: hex.EncodeToString(sum.Sum(nil)),
		StorageKey: fmt.Sprintf("%d/%d-%d%s", s.t.ID, s.last.ID, out.Position, picture.StrayEnd), Reason: bad.Message}
	known := s.last.RawFileList()
	if at := slices.IndexFunc(known, func(old task.RawFile) bool { return old.StorageKey == k.StorageKey && old.FileSize >= size }); at >= 0 {
		k = &known[at]
	} else if k.StorageKey != out.Key { // else it is there already
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
		if err := s.w.Pictures.Put(ctx, k.StorageKey, file, "application/octet-stream"); err != nil {
			return nil, err
		}
	}
	out.Key, out.Bytes = k.StorageKey, nil
	return k, nil
}
