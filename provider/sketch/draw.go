package sketch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"slices"

	"golang.org/x/sync/semaphore"

	"github.com/easelqueue/easel/internal/budget"
	"github.com/easelqueue/easel/provider"
	"github.com/easelqueue/easel/provider/sketch/paint"
	"github.com/easelqueue/easel/task"
)

// dot is a PNG of one grey pixel, for measuring everything but the drawing.
const dot = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00:~\x9bU" +
	"\x00\x00\x00\nIDATx\x9cch\x00\x00\x00\x82\x00\x81w\xcdr\xb6\x00\x00\x00\x00IEND\xaeB`\x82"

// prepareOnce sets up what all calls share.
func (p *Provider) prepareOnce() {
	p.once.Do(func() {
		p.memory = semaphore.NewWeighted(p.budget())
		p.inputs.Memory = &budget.Budget{Size: p.budget()}
		p.inputs.Thumbnail = inputSide
	})
}

func (p *Provider) budget() int64 {
	if p.Memory <= 0 {
		return defaultMemory
	}
	return p.Memory
}

// draw makes the pictures of a job one after the other.
func (p *Provider) draw(ctx context.Context, j job) ([]provider.Output, error) {
	if j.Dot {
		j.Inputs = nil
	}
	inputs, err := j.inputs()
	if err != nil {
		return nil, err
	}
	var outputs []provider.Output
	for i, seed := range j.Seeds {
		if slices.Contains(j.FailImages, i) {
			outputs = append(outputs, provider.Output{Position: i, Err: &task.Failure{Kind: task.ProviderError, Executed: task.Executed,
				Message: "this picture failed alone", Detail: "asked for by the task's parameters"}})
			continue
		}
		data := []byte(dot)
		if !j.Dot {
			if data, err = p.picture(ctx, j, seed, inputs); err != nil {
				return nil, err
			}
		}
		outputs = append(outputs, provider.Output{Position: i, Bytes: data, ContentType: "image/png", Seed: &seed})
	}
	return outputs, nil
}

// picture draws one picture as PNG. It waits for ctx while others hold the memory.
func (p *Provider) picture(ctx context.Context, j job, seed int64, inputs []image.Image) ([]byte, error) {
	p.prepareOnce()
	cost := min(int64(j.Width)*int64(j.Height)*4, p.budget())
	if err := p.memory.Acquire(ctx, cost); err != nil {
		return nil, err
	}
	defer p.memory.Release(cost)
	m, err := paint.Picture{Width: j.Width, Height: j.Height, Seed: mixSeed(j.Digest, seed), Scene: j.Scene, Detail: j.Detail,
		Vivid: j.Vivid, Inputs: inputs, Caption: j.Caption, Mark: j.Mark}.Draw(ctx)
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	enc := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := enc.Encode(&buf, m); err != nil {
		return nil, fmt.Errorf("encode the drawing: %w", err)
	}
	return buf.Bytes(), nil
}

// mixSeed gives every prompt another picture under the same seed.
func mixSeed(digest string, seed int64) [2]uint64 {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte(digest), uint64(seed)))
	return [2]uint64{binary.BigEndian.Uint64(sum[:]), binary.BigEndian.Uint64(sum[8:])}
}

// inputs decodes the copies that Prepare made; they are JPEG, or PNG where
// something shines through.
func (j job) inputs() ([]image.Image, error) {
	var all []image.Image
	for i, data := range j.Inputs {
		decode := jpeg.Decode
		if bytes.HasPrefix(data, []byte("\x89PNG")) {
			decode = png.Decode
		}
		m, err := decode(bytes.NewReader(data))
		if err != nil {
			return nil, fmt.Errorf("the kept copy of %s %d: %w", inputMessage, i+1, err)
		}
		all = append(all, m)
	}
	return all, nil
}
