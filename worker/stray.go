package worker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/easelqueue/easel/picture"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

// strayOf says what a file is that is no picture for us.
func strayOf(file io.ReadSeeker) (picture.Stray, error) {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return picture.Stray{}, err
	}
	head := make([]byte, 512)
	n, err := io.ReadFull(file, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return picture.Stray{}, err
	}
	return picture.StrayOf(head[:n]), nil
}

// shelveStray stores bytes that no decoder takes as they came, beside the task's pictures,
// and puts their key into the output. Object storage gets no type that a browser would
// run or show.
func (s *step) shelveStray(ctx context.Context, file io.ReadSeeker, out *provider.Output) (*task.Kept, error) {
	ctx, cancel := context.WithTimeout(ctx, keepTimeout)
	defer cancel()
	stray, err := strayOf(file)
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	size, err := io.Copy(sum, file)
	if err != nil {
		return nil, err
	}
	k := &task.Kept{Position: s.settled + out.Position, ContentType: stray.ContentType, FileSize: size, SHA256: hex.EncodeToString(sum.Sum(nil)),
		StorageKey: fmt.Sprintf("%d/%d-%d%s", s.t.ID, s.last.ID, out.Position, picture.StrayEnd)}
	if k.StorageKey != out.Key { // else it is there already
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
		if err := s.Pictures.Put(ctx, k.StorageKey, file, "application/octet-stream"); err != nil {
			return nil, err
		}
	}
	out.Key, out.Bytes = k.StorageKey, nil
	return k, nil
}
