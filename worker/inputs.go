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
	"time"

	"github.com/easelqueue/easel/picture"
	"github.com/easelqueue/easel/picture/codec"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/task"
)

const (
	// inlineBytes is the largest input picture that goes along as a data URL
	// where the service can fetch addresses as well.
	inlineBytes = 8 << 20
	// inputTimeout is for bringing one input picture to us or to the service.
	inputTimeout = 2 * time.Minute
	// presigned is how long an address of ours lives that a service fetches from.
	presigned = time.Hour
)

// prepare makes the call for a part of the task, with input pictures in the form
// that the service wants. Whatever has to be fetched or uploaded for that buys
// nothing and comes before the attempt.
func (s *step) prepare(ctx context.Context, part provider.Batch) (provider.Call, error) {
	inputs, err := s.t.Inputs()
	if err != nil {
		return provider.Call{}, err
	}
	if len(inputs) > 0 {
		if part.Inputs, err = s.bringInputs(ctx, inputs); err != nil {
			return provider.Call{}, err
		}
	}
	return s.svc.Call(s.account.Provider, s.t, part)
}

// bringInputs copies what lies at addresses, which expire, into our storage, once
// for the life of the task, and returns every picture as the service wants it.
func (s *step) bringInputs(ctx context.Context, addresses []string) ([]string, error) {
	copies, err := s.Tasks.Inputs(ctx, s.t.ID)
	if err != nil {
		return nil, &task.Failure{Kind: task.Storage, Executed: task.NotExecuted, Message: "the copies of the input pictures cannot be looked up", Detail: err.Error(), Cause: err}
	}
	can := s.svc.Capabilities(s.account.Provider, s.t)
	brought := make([]string, len(addresses))
	for i, address := range addresses {
		in := input{step: s, position: i, address: address, can: can}
		if known, ok := copies[i]; ok && known.SourceHash == in.hash() {
			in.copy = &known
		}
		if brought[i], err = in.bring(ctx); err != nil {
			return nil, in.named(err, len(addresses))
		}
	}
	return brought, nil
}

// input is one picture to start from on its way to the service.
type input struct {
	*step
	position int
	address  string
	can      provider.Capabilities
	copy     *task.Input // in our storage; nil while there is none
}

func (in *input) hash() string {
	sum := sha256.Sum256([]byte(in.address))
	return hex.EncodeToString(sum[:])
}

func (in *input) bring(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, inputTimeout)
	defer cancel()
	switch {
	case in.can.Inputs == provider.ByURL:
		return in.lent(ctx)
	case strings.HasPrefix(in.address, "data:"):
		return in.inline(ctx, in.address)
	}
	content, err := in.kept(ctx)
	if err != nil {
		return "", err
	}
	if in.can.Inputs == provider.ByEither && in.copy.FileSize > inlineBytes {
		return in.address, nil
	}
	return in.inline(ctx, "data:"+in.copy.ContentType+";base64,"+base64.StdEncoding.EncodeToString(content))
}

// inline returns a picture as a data URL, or what stands for it at the service.
func (in *input) inline(ctx context.Context, data string) (string, error) {
	_, content, _ := provider.SplitDataURL(data)
	size := int64(base64.StdEncoding.DecodedLen(len(content)))
	if in.can.Inputs != provider.ByUpload && (in.can.Inline == 0 || size <= in.can.Inline) {
		return data, nil
	}
	to, ok := in.account.Provider.(provider.Uploader)
	if !ok && in.t.FitInputs != nil && *in.t.FitInputs {
		return in.fitted(ctx, content)
	}
	if !ok {
		return "", &task.Failure{Kind: task.Unsupported, Message: fmt.Sprintf("has %d bytes; %s takes up to %d", size, in.svc.Name, in.can.Inline),
			Next: "Give a smaller picture, or allow that it is scaled down (fit_inputs, --fit-inputs)"}
	}
	reference, err := to.Upload(ctx, data)
	if err != nil {
		f := *task.AsFailure(err)
		f.Executed = task.NotExecuted // it buys nothing
		return "", &f
	}
	return reference, nil
}

// fitted returns the picture scaled down to what the service takes.
func (in *input) fitted(ctx context.Context, content string) (string, error) {
	decoded, err := base64.StdEncoding.DecodeString(content)
	if err != nil {
		return "", &task.Failure{Kind: task.Invalid, Message: "is a data URL whose content is not base64"}
	}
	small, contentType, err := in.Checker.Fit(ctx, decoded, in.can.Inline)
	var bad *codec.Error
	if errors.As(err, &bad) {
		return "", &task.Failure{Kind: task.Invalid, Message: "cannot be used", Detail: bad.Message, Cause: bad}
	}
	if err != nil {
		return "", later("could not be scaled down", err)
	}
	return "data:" + contentType + ";base64," + base64.StdEncoding.EncodeToString(small), nil
}

// lent returns an address under which the service can fetch our copy, or else the
// picture's own, which we then have no use of.
func (in *input) lent(ctx context.Context) (string, error) {
	lender, ok := in.Pictures.(picture.Lender)
	if !ok {
		if strings.HasPrefix(in.address, "data:") {
			return "", &task.Failure{Kind: task.Unsupported, Message: fmt.Sprintf("is a data URL; %s takes addresses only", in.svc.Name),
				Next: "Give an http or https address, or keep pictures in object storage, from which they can be lent"}
		}
		return in.address, nil
	}
	if _, err := in.kept(ctx); err != nil {
		return "", err
	}
	address, err := lender.Presign(ctx, in.copy.StorageKey, presigned)
	if err != nil {
		return "", later("our storage does not lend the picture", err)
	}
	return address, nil
}

// kept returns the bytes of our copy, which it makes if there is none yet.
func (in *input) kept(ctx context.Context) ([]byte, error) {
	if in.copy != nil {
		file, err := in.Pictures.Open(ctx, in.copy.StorageKey)
		switch {
		case err == nil:
			defer file.Close()
			content, err := io.ReadAll(file)
			if err != nil {
				return nil, later("our storage does not give the picture back", err)
			}
			return content, nil
		case !errors.Is(err, picture.ErrNotFound):
			return nil, later("our storage does not give the picture back", err)
		}
	}
	content, err := in.fetched(ctx)
	if err != nil {
		return nil, err
	}
	checked, err := in.Checker.Check(ctx, bytes.NewReader(content))
	var bad *codec.Error
	if errors.As(err, &bad) {
		return nil, &task.Failure{Kind: task.Invalid, Message: "cannot be used", Detail: bad.Message, Cause: bad, Next: "Give a whole PNG, JPEG, WebP or GIF"}
	}
	if err != nil {
		return nil, later("could not be checked", err)
	}
	content, err = codec.Strip(content) // where it was taken is nobody's business
	if err != nil {
		return nil, &task.Failure{Kind: task.Invalid, Message: "cannot be used", Detail: err.Error(), Cause: err}
	}
	sum := sha256.Sum256(content)
	copied := task.Input{Position: in.position, SourceHash: in.hash(), StorageKey: fmt.Sprintf("%d/input-%d.%s", in.t.ID, in.position, checked.Extension),
		ContentType: checked.ContentType, FileSize: int64(len(content)), SHA256: hex.EncodeToString(sum[:])}
	if err := in.Pictures.Put(ctx, copied.StorageKey, bytes.NewReader(content), copied.ContentType); err != nil {
		return nil, later("our storage does not take the picture", err)
	}
	if err := in.Tasks.KeepInput(ctx, in.t.ID, copied); err != nil {
		return nil, later("the database does not take the copy", err)
	}
	in.copy = &copied
	return content, nil
}

// fetched returns the bytes from wherever the address leads: a data URL holds them,
// pictures of ours lie in storage, and all others are downloaded.
func (in *input) fetched(ctx context.Context) ([]byte, error) {
	if _, content, ok := provider.SplitDataURL(in.address); ok {
		decoded, err := base64.StdEncoding.DecodeString(content)
		if err != nil {
			return nil, &task.Failure{Kind: task.Invalid, Message: "is a data URL whose content is not base64"}
		}
		return decoded, nil
	}
	var from io.ReadCloser
	var err error
	if key, ours := in.ownKey(); ours {
		if from, err = in.Pictures.Open(ctx, key); err != nil && !errors.Is(err, picture.ErrNotFound) {
			return nil, later("our storage does not give the picture back", err)
		}
		if err != nil {
			return nil, &task.Failure{Kind: task.Invalid, Message: "is an address of ours under which there is no picture", Cause: err}
		}
	} else if from, err = in.Client.Fetch(ctx, in.address, nil, in.Checker.Limits.WithDefaults().Bytes); err != nil {
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
	base := strings.TrimSuffix(in.Pictures.Locate(probe).URL, probe)
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
		f.Kind, f.Next = task.Invalid, "Give an address that can be reached and shows the picture"
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
