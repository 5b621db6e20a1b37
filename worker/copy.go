package worker

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/easelqueue/easel/picture"
	"github.com/easelqueue/easel/picture/codec"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/store"
	"github.com/easelqueue/easel/task"
)

// ownCopy returns the bytes of our copy, which it makes if there is none yet.
func (in *input) ownCopy(ctx context.Context) ([]byte, error) {
	if in.copy == nil {
		return in.makeCopy(ctx)
	}
	file, err := in.s.w.Pictures.Open(ctx, in.copy.StorageKey)
	switch {
	case errors.Is(err, picture.ErrNotFound):
		return in.makeCopy(ctx)
	case err != nil:
		return nil, later("our storage does not give the picture back", err)
	}
	defer file.Close()
	content, err := io.ReadAll(file)
	if err != nil {
		return nil, later("our storage does not give the picture back", err)
	}
	return content, nil
}

// makeCopy brings the picture into our storage and returns its bytes.
func (in *input) makeCopy(ctx context.Context) ([]byte, error) {
	content, err := in.fetch(ctx)
	if err != nil {
		return nil, err
	}
	checked, err := in.s.w.Checker.Check(ctx, bytes.NewReader(content))
	var bad *codec.Error
	if errors.As(err, &bad) {
		return nil, &task.Failure{Kind: task.Invalid, Executed: task.NotExecuted, Message: "cannot be used", Detail: bad.Message, Cause: bad, Advice: task.ReplacePicture, About: "PNG, JPEG, WebP, GIF"}
	}
	if err != nil {
		return nil, later("could not be checked", err)
	}
	content, err = codec.Strip(content) // where it was taken is nobody's business
	if err != nil {
		return nil, &task.Failure{Kind: task.Invalid, Executed: task.NotExecuted, Message: "cannot be used", Detail: err.Error(), Cause: err}
	}
	sum := sha256.Sum256(content)
	copied := task.Input{Position: in.position, SourceHash: in.hash(), StorageKey: fmt.Sprintf("%d/input-%d.%s", in.s.t.ID, in.position, checked.Extension),
		ContentType: checked.ContentType, FileSize: int64(len(content)), SHA256: hex.EncodeToString(sum[:])}
	if err := in.s.w.Pictures.Put(ctx, copied.StorageKey, bytes.NewReader(content), copied.ContentType); err != nil {
		return nil, later("our storage does not take the picture", err)
	}
	if _, err := in.s.w.Journal.Record(ctx, store.InputCopied{Task: in.s.t.ID, Input: copied}); err != nil {
		return nil, later("the database does not take the copy", err)
	}
	in.copy = &copied
	return content, nil
}

// fetch returns the bytes from wherever the address leads: a data URL holds them,
// pictures of ours lie in storage, and all others are downloaded.
func (in *input) fetch(ctx context.Context) ([]byte, error) {
	if _, content, ok := provider.SplitDataURL(in.address); ok {
		decoded, err := base64.StdEncoding.DecodeString(content)
		if err != nil {
			return nil, &task.Failure{Kind: task.Invalid, Executed: task.NotExecuted, Message: "is a data URL whose content is not base64"}
		}
		return decoded, nil
	}
	var from io.ReadCloser
	var err error
	if key, ours := in.ownKey(); ours {
		if from, err = in.s.w.Pictures.Open(ctx, key); err != nil && !errors.Is(err, picture.ErrNotFound) {
			return nil, later("our storage does not give the picture back", err)
		}
		if err != nil {
			return nil, &task.Failure{Kind: task.Invalid, Executed: task.NotExecuted, Message: "is an address of ours under which there is no picture", Cause: err}
		}
	} else if from, err = in.s.w.Client.Fetch(ctx, in.address, nil, in.s.w.Checker.Limits.WithDefaults().Bytes); err != nil {
		return nil, inputFailure(err)
	}
	defer from.Close()
	content, err := io.ReadAll(from)
	if err != nil {
		return nil, inputFailure(err)
	}
	return content, nil
}

// ownKey returns the key of a picture of ours, which apps name by the address that
// we gave it.
func (in *input) ownKey() (string, bool) {
	const probe = "k"
	base := strings.TrimSuffix(in.s.w.Pictures.Locate(probe).URL, probe)
	rest, ours := strings.CutPrefix(in.address, base)
	key, err := url.PathUnescape(rest)
	return key, ours && err == nil && picture.CheckKey(key) == nil
}

// inputFailure sorts what a download of an input ran into: the address is no good, or
// it is to be tried again. Nothing was bought.
func inputFailure(err error) *task.Failure {
	f := *task.AsFailure(err)
	f.Executed, f.Cause = task.NotExecuted, err
	switch f.Kind {
	case task.Expired, task.BadAnswer, task.Invalid:
		f.Kind, f.Advice, f.About = task.Invalid, task.ReplacePicture, ""
	default:
		f.Kind = task.Unavailable
	}
	return &f
}

// named says which input picture err speaks of.
func (in *input) named(err error, of int) error {
	f := *task.AsFailure(err)
	name := "the input picture"
	if of > 1 {
		name = fmt.Sprintf("input picture %d of %d", in.position+1, of)
	}
	f.Message = name + ": " + f.Message
	return &f
}
