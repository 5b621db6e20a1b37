package selftest

import (
	"context"
	"os"
	"path/filepath"

	"github.com/easelqueue/easel/internal/throwaway"
)

const (
	bucket = "pictures"
	prefix = "easel"
	region = "us-east-1"

	// pictureRoom is how much fits on the file system of the pictures.
	pictureRoom = 256 << 20
)

// openStorage gives the pictures an S3 server, if its program is found, and
// otherwise a folder. Both lie on a small file system of their own, if this process
// may mount one, so that it can be filled.
func (r *run) openStorage(ctx context.Context) error {
	r.storing = filepath.Join(r.Folder, "pictures")
	if err := os.MkdirAll(r.storing, 0o755); err != nil {
		return err
	}
	r.full = mount(r.storing, pictureRoom)
	// A bucket of the server is a folder.
	if err := os.Mkdir(filepath.Join(r.storing, bucket), 0o755); err != nil {
		return err
	}
	server, err := throwaway.S3(ctx, throwaway.Options{Objects: r.storing})
	if err != nil {
		r.Say("An S3 server was not started, so the pictures lie in a folder: " + firstLine(err))
		return nil
	}
	r.storage, r.storageURL = server, server.URL
	return nil
}

// stored is the folder in which the pictures can be seen, whoever keeps them.
func (s *site) stored() string {
	if s.storage == nil {
		return filepath.Join(s.storing, bucket)
	}
	return filepath.Join(s.storing, bucket, prefix)
}

// storageEnv tells the slot where pictures are stored.
func (s *slot) storageEnv() ([]string, error) {
	if s.storage == nil {
		return []string{"EASEL_PICTURES=" + s.stored()}, nil
	}
	at, err := s.net.through(s.proxy("storage"), s.storageURL)
	return []string{"EASEL_PICTURES=s3://" + bucket + "/" + prefix, "EASEL_S3_ENDPOINT=" + at, "EASEL_S3_REGION=" + region,
		"EASEL_S3_ACCESS_KEY=" + throwaway.S3AccessKey, "EASEL_S3_SECRET_KEY=" + throwaway.S3SecretKey}, err
}
