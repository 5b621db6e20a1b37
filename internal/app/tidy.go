package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

const (
	draftAge    = time.Hour      // longer than any picture takes to be stored
	downloadAge = 24 * time.Hour // longer than any download takes
)

// tidy makes the folder for downloads and removes what earlier processes left
// behind when they died: pictures half stored, downloads half done. Other
// workers may share the folders, so what is young is left alone.
func (a *App) tidy() error {
	a.temp = a.Config.Temp()
	if err := os.MkdirAll(a.temp, 0o755); err != nil {
		return fmt.Errorf("EASEL_DATA: %w", err)
	}
	downloads, err := removeOld(a.temp, downloadAge)
	var drafts int
	var sweepErr error
	if a.sweep != nil {
		drafts, sweepErr = a.sweep(draftAge)
	}
	if err := errors.Join(err, sweepErr); err != nil {
		a.Log.Warn().Err(err).Msg("left-overs of earlier processes stay")
	}
	if downloads+drafts > 0 {
		a.Log.Info().Int("downloads", downloads).Int("drafts", drafts).Msg("left-overs of earlier processes removed")
	}
	return nil
}

// removeOld removes the files of a folder that nobody has written to for that
// long and returns how many there were. Folders in it stay.
func removeOld(folder string, olderThan time.Duration) (removed int, err error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return 0, err
	}
	var errs []error
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || !info.Mode().IsRegular() || time.Since(info.ModTime()) < olderThan {
			continue // gone, none of ours, or still being written
		}
		switch err := os.Remove(filepath.Join(folder, entry.Name())); {
		case err == nil:
			removed++
		case !errors.Is(err, fs.ErrNotExist): // another process tidies too
			errs = append(errs, err)
		}
	}
	return removed, errors.Join(errs...)
}
