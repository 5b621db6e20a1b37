//go:build unix

package throwaway

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// cluster makes the cluster of a new server in dir: a copy of the kept one, which is
// ten times as quick as initdb, or the one that is kept from now on.
func (p postgresPrograms) cluster(ctx context.Context, dir string) error {
	if p.kept == "" {
		return p.initialise(ctx, dir)
	}
	kept, err := p.keptAs()
	if err != nil {
		return err
	}
	if _, err := os.Stat(kept); err == nil {
		return copyFolder(ctx, kept, dataDir(dir))
	}
	if err := p.initialise(ctx, dir); err != nil {
		return err
	}
	return keep(ctx, dataDir(dir), kept)
}

// keptAs is where the cluster that this initdb makes for this user is kept.
func (p postgresPrograms) keptAs() (string, error) {
	info, err := os.Stat(filepath.Join(p.bin, "initdb"))
	if err != nil {
		return "", err
	}
	uid := uint32(os.Geteuid())
	if p.as != nil {
		uid = p.as.Uid
	}
	made := sha256.Sum256(fmt.Append(nil, p.bin, info.ModTime().UnixNano(), info.Size(), uid, initdbArgs))
	return filepath.Join(p.kept, fmt.Sprintf("postgres-%x", made[:8])), nil
}

// keep copies a cluster on which no server runs. It appears at once or not at all; of
// several who keep one at the same time the first counts.
func keep(ctx context.Context, cluster, kept string) error {
	if err := os.MkdirAll(filepath.Dir(kept), 0o700); err != nil {
		return err
	}
	temp, err := os.MkdirTemp(filepath.Dir(kept), "new-")
	if err != nil {
		return err
	}
	if err := copyFolder(ctx, cluster, filepath.Join(temp, "data")); err != nil {
		return errors.Join(err, os.RemoveAll(temp))
	}
	err = os.Rename(filepath.Join(temp, "data"), kept)
	if errors.Is(err, os.ErrExist) {
		err = nil
	}
	return errors.Join(err, os.RemoveAll(temp))
}

// copyFolder copies all that is in a folder, with owners and rights.
func copyFolder(ctx context.Context, from, to string) error {
	if out, err := exec.CommandContext(ctx, "cp", "-Rp", from, to).CombinedOutput(); err != nil {
		return fmt.Errorf("a copy of %s: %w\n%s", from, err, out)
	}
	return nil
}
