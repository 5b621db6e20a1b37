package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/easelqueue/easel/picture"
)

func TestPicturesAndDelete(t *testing.T) {
	t.Parallel()
	s := newSite(t, "providers: {}\n")
	s.start("worker")
	for i := range 3 {
		s.easel(0, "enqueue", fmt.Sprint("a boat ", i), "--size", "1600x900", "--wait")
	}
	keys := func() (all []string) {
		for _, id := range []string{"1", "2", "3"} {
			entries, err := os.ReadDir(s.picture(id))
			if err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			for _, e := range entries {
				all = append(all, id+"/"+e.Name())
			}
		}
		return all
	}
	before := keys()
	if want := []string{"1/1-0.png", picture.PreviewKey(picture.ThumbnailKey("1/1-0", "jpg")), picture.ThumbnailKey("1/1-0", "jpg")}; len(before) != 9 || !slices.Equal(before[:3], want) {
		t.Fatalf("stored: %v", before)
	}
	t.Run("With every row there is nothing to remove", func(t *testing.T) {
		if out := s.easel(0, "pictures", "gc", "--grace", "0s", "--yes"); !strings.Contains(out, "0 files that no row refers to") || len(keys()) != 9 {
			t.Errorf("%s\n%v", out, keys())
		}
	})
	t.Run("What a deleted row leaves is shown first, and removed when asked for", func(t *testing.T) {
		s.number("WITH d AS (DELETE FROM image_generations WHERE id = 1 RETURNING 1) SELECT count(*) FROM d")
		out := s.easel(0, "pictures", "gc", "--grace", "0s")
		if !strings.Contains(out, "3 files that no row refers to") || !strings.Contains(out, "1/1-0.png") || !strings.Contains(out, "say --yes") || len(keys()) != 9 {
			t.Errorf("%s\n%v", out, keys())
		}
		if out := s.easel(0, "pictures", "gc"); !strings.Contains(out, "3 files younger than 24h that no row refers to yet") {
			t.Error(out)
		}
		var found collection
		if err := json.Unmarshal([]byte(s.easel(0, "pictures", "gc", "--grace", "0s", "--yes", "--json")), &found); err != nil || found.Removed != 3 || len(keys()) != 6 {
			t.Errorf("%+v, %v, %v", found, err, keys())
		}
	})
	t.Run("What is aged goes, but for favourites", func(t *testing.T) {
		s.number("WITH u AS (UPDATE image_generations SET completed_at = now() - interval '100 days' RETURNING 1) SELECT count(*) FROM u")
		s.number("WITH f AS (INSERT INTO favorite (result_id) SELECT id FROM generation_result WHERE task_id = 2 RETURNING 1) SELECT count(*) FROM f")
		if out := s.easel(0, "pictures", "gc", "--keep", "90d"); !strings.Contains(out, "1 picture older than 90d") && !strings.Contains(out, "1 picture older than") || len(keys()) != 6 {
			t.Errorf("%s", out)
		}
		s.easel(0, "pictures", "gc", "--keep", "90d", "--grace", "0s", "--yes")
		if left := keys(); len(left) != 3 || !strings.HasPrefix(left[0], "2/") {
			t.Errorf("left: %v", left)
		}
		if out := s.easel(0, "show", "3"); !strings.Contains(out, "completed") {
			t.Errorf("the task itself is gone:\n%s", out)
		}
	})
	t.Run("Delete takes the row and the files, and refuses what is not there", func(t *testing.T) {
		out := s.easel(1, "delete", "2", "2", "4711", "--yes")
		if !strings.Contains(out, "1 task deleted, with 3 files") || !strings.Contains(out, "task 4711") || strings.Contains(out, "task 2 ") || len(keys()) != 0 {
			t.Errorf("%s\n%v", out, keys())
		}
		if out := s.easel(1, "delete", "2", "--yes"); strings.Contains(out, "deleted") {
			t.Errorf("nothing was deleted: %s", out)
		}
		s.easel(2, "delete", "3") // nobody can be asked here
		if out := s.easel(1, "delete", "3", "4711"); !strings.Contains(out, "task 4711: no such task") || strings.Contains(out, "Delete") {
			t.Errorf("it asks about what is not there: %s", out)
		}
	})
	for _, args := range [][]string{{"pictures", "gc", "--keep", "yesterday"}, {"pictures", "gc", "--keep", "-5d"}, {"pictures", "gc", "--keep", "1m"}, {"pictures", "gc", "--grace", "999999d"}, {"delete", "x", "--yes"}} {
		s.easel(2, args...)
	}
}
