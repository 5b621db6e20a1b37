package worker

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
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

// prepare makes the call for a batch of the task, with input pictures in the form
// that the service wants. Whatever has to be fetched or uploaded for that buys
// nothing and comes before the attempt.
func (s *step) prepare(ctx context.Context, batch provider.Batch) (provider.Call, error) {
	inputs, err := s.t.Inputs()
	if err != nil {
		return provider.Call{}, err
	}
	if len(inputs) > 0 {
		if batch.Inputs, err = s.bringInputs(ctx, inputs); err != nil {
			return provider.Call{}, err
		}
	}
	return s.svc.Call(s.account.Provider, s.t, batch)
}

// bringInputs copies what lies at addresses, which expire, into our storage, once
// for the life of the task, and returns every picture as the service wants it.
func (s *step) bringInputs(ctx context.Context, addresses []string) ([]string, error) {
	copies, err := s.copies(ctx)
	if err != nil {
		return nil, &task.Failure{Kind: task.Storage, Executed: task.NotExecuted, Message: "the copies of the input pictures cannot be looked up", Detail: err.Error(), Cause: err}
	}
	can := s.svc.Capabilities(s.account.Provider, s.t)
	brought := make([]string, len(addresses))
	for i, address := range addresses {
		in := input{s: s, position: i, address: address, can: can}
		if known, ok := copies[i]; ok && known.SourceHash == in.hash() {
			in.copy = &known
		}
		if brought[i], err = in.bring(ctx); err != nil {
			return nil, in.named(err, len(addresses))
		}
	}
	return brought, nil
}

// copies are our copies of the task's input pictures by position.
func (s *step) copies(ctx context.Context) (map[int]task.Input, error) {
	h, err := s.count(ctx)
	if err != nil {
		return nil, err
	}
	all := make(map[int]task.Input, len(h.Inputs))
	for _, in := range h.Inputs {
		all[in.Position] = in
	}
	return all, nil
}

// input is one picture to start from on its way to the service.
type input struct {
	s        *step
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
		return in.presign(ctx)
	case strings.HasPrefix(in.address, "data:"):
		return in.inline(ctx, in.address)
	}
	content, err := in.ownCopy(ctx)
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
	to, ok := in.s.account.Provider.(provider.Uploader)
	if !ok && in.s.t.FitInputs != nil && *in.s.t.FitInputs {
		return in.fitted(ctx, content)
	}
	if !ok {
		return "", &task.Failure{Kind: task.Unsupported, Executed: task.NotExecuted, Message: fmt.Sprintf("has %d bytes; %s takes up to %d", size, in.s.svc.Name, in.can.Inline),
			Advice: task.FitPicture}
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
		return "", &task.Failure{Kind: task.Invalid, Executed: task.NotExecuted, Message: "is a data URL whose content is not base64"}
	}
	small, contentType, err := in.s.w.Checker.Fit(ctx, decoded, in.can.Inline)
	var bad *codec.Error
	if errors.As(err, &bad) {
		return "", &task.Failure{Kind: task.Invalid, Executed: task.NotExecuted, Message: "cannot be used", Detail: bad.Message, Cause: bad}
	}
	if err != nil {
		return "", later("could not be scaled down", err)
	}
	return "data:" + contentType + ";base64," + base64.StdEncoding.EncodeToString(small), nil
}

// presign returns an address under which the service can fetch our copy, or else the
// picture's own, which we then have no use of.
func (in *input) presign(ctx context.Context) (string, error) {
	lender, ok := in.s.w.Pictures.(picture.Lender)
	if !ok {
		if strings.HasPrefix(in.address, "data:") {
			return "", &task.Failure{Kind: task.Unsupported, Executed: task.NotExecuted, Message: fmt.Sprintf("is a data URL; %s takes addresses only", in.s.svc.Name),
				Advice: task.GiveWebAddress}
		}
		return in.address, nil
	}
	if _, err := in.ownCopy(ctx); err != nil {
		return "", err
	}
	address, err := lender.Presign(ctx, in.copy.StorageKey, presigned)
	if err != nil {
		return "", later("our storage does not lend the picture", err)
	}
	return address, nil
}
