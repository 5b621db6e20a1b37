package worker

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"os"

	"github.com/easelqueue/easel/internal/crash"
	"github.com/easelqueue/easel/picture"
	"github.com/easelqueue/easel/picture/codec"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

// open returns the bytes of an output: from the journal, from our storage, or
// downloaded to a temporary file.
func (s *step) open(ctx context.Context, out *provider.Output) (io.ReadSeekCloser, error) {
	if len(out.Bytes) > 0 {
		return nopCloser{bytes.NewReader(out.Bytes)}, nil
	}
	if out.Key != "" {
		file, err := s.w.Pictures.Open(ctx, out.Key)
		if errors.Is(err, picture.ErrNotFound) && out.URL != "" {
			return s.download(ctx, out.URL)
		}
		if errors.Is(err, picture.ErrNotFound) {
			return nil, &task.Failure{Kind: task.Expired, Executed: task.Executed, Message: "the picture " + out.Key + " is not in our storage any more", Cause: err}
		}
		if err != nil {
			return nil, later("our storage does not give the picture back", err)
		}
		return file, nil
	}
	return s.download(ctx, out.URL)
}

func (s *step) download(ctx context.Context, url string) (io.ReadSeekCloser, error) {
	if _, content, ok := provider.SplitDataURL(url); ok {
		content, err := base64.StdEncoding.DecodeString(content)
		if err != nil {
			return nil, &task.Failure{Kind: task.BadAnswer, Executed: task.Executed, Message: "the address of the picture is a data URL that cannot be read", Detail: err.Error()}
		}
		return nopCloser{bytes.NewReader(content)}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(s.svc.Timeout, defaultTimeout))
	defer cancel()
	var header http.Header
	if private, ok := s.account.Provider.(provider.Private); ok {
		header = private.PictureHeader(url)
	}
	done, err := s.w.Downloads.Acquire(ctx, s.svc.Name, 1)
	if err != nil {
		return nil, downloadFailure(err)
	}
	defer done()
	from, err := s.w.Client.Fetch(ctx, url, header, s.w.Checker.Limits.WithDefaults().Bytes)
	if err != nil {
		return nil, downloadFailure(err)
	}
	defer from.Close()
	crash.At("download begun")
	file, err := os.CreateTemp(s.w.Temp, "easel-*.part")
	if err != nil {
		return nil, later("there is no room to download the picture to", err)
	}
	temp := tempFile{file}
	if _, err := io.Copy(file, from); err != nil {
		temp.Close()
		return nil, downloadFailure(err)
	}
	return temp, nil
}

// downloadFailure is why a picture that was drawn and billed has not come.
func downloadFailure(err error) *task.Failure {
	f := *task.AsFailure(err)
	f.Executed = task.Executed
	if f.Kind == task.Storage {
		f.Kind = task.Unavailable // of another's storage; ours is not meant
	}
	return &f
}

func unusable(bad *codec.Error) *task.Failure {
	return &task.Failure{Kind: task.BadAnswer, Executed: task.Executed, Message: "the provider's picture cannot be used", Detail: bad.Message, Cause: bad}
}

func later(message string, err error) *task.Failure {
	return &task.Failure{Kind: task.Storage, Executed: task.NotExecuted, Message: message, Detail: err.Error(),
		Advice: task.Wait, Cause: err}
}

type nopCloser struct{ *bytes.Reader }

func (nopCloser) Close() error { return nil }

// tempFile is removed when it is closed.
type tempFile struct{ *os.File }

func (t tempFile) Close() error {
	return errors.Join(t.File.Close(), os.Remove(t.Name()))
}
