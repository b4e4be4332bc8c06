package sinktest

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"
)

func readAnywhere(t *testing.T, place Place) {
	n := newNight(t, place, "a", nil)
	if err := n.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	for path, content := range place.files() {
		file, err := n.sink.OpenAt(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		size := int64(len(content))
		if file.Size() != size {
			t.Errorf("%s has %d bytes, want %d", path, file.Size(), size)
		}
		for _, from := range []int64{0, 1, size / 2, size - 1} {
			if from < 0 || from >= size {
				continue
			}
			for _, length := range []int64{1, 100, size - from} {
				got := make([]byte, min(length, size-from))
				if read, err := file.ReadAt(got, from); read != len(got) || err != nil && !errors.Is(err, io.EOF) {
					t.Errorf("%s from %d: %d bytes of %d, %v", path, from, read, len(got), err)
				}
				if !bytes.Equal(got, content[from:from+int64(len(got))]) {
					t.Errorf("%s from %d: other bytes than were put", path, from)
				}
			}
		}
		beyond := make([]byte, 8)
		if read, err := file.ReadAt(beyond, max(0, size-3)); read != int(min(3, size)) || !errors.Is(err, io.EOF) {
			t.Errorf("%s over its end: %d bytes, %v", path, read, err)
		}
		if read, err := file.ReadAt(beyond, size+5); read != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("%s behind its end: %d bytes, %v", path, read, err)
		}
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, path := range []string{"users/snapshot_date=" + date + "/part-00009.parquet", "../escape", ""} {
		if _, err := n.sink.OpenAt(t.Context(), path); !isMissing(err) {
			t.Errorf("%q: %v, want fs.ErrNotExist", path, err)
		}
	}
}

func everyFile(t *testing.T, place Place) {
	n := newNight(t, place, "a", nil)
	if err := n.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	strays := []string{"users/snapshot_date=2026-11-20/part-00007.parquet", "users/notes.txt", "users/a/b", "users/a.txt", "_snapshots/replaced/2026-11-20-000001.json"}
	for _, path := range strays {
		place.Write(t, path, []byte("stray"))
	}
	all := slices.Sorted(slices.Values(append(place.sealedPaths(), strays...)))
	for _, folder := range []string{"", "users/", "_snapshots/", "nothing/"} {
		var want, got []string
		for _, path := range all {
			if len(path) >= len(folder) && path[:len(folder)] == folder {
				want = append(want, path)
			}
		}
		for object, err := range n.sink.List(t.Context(), folder) {
			if err != nil {
				t.Fatal(err)
			}
			if content, err := read(t.Context(), n.sink, object.Path); err != nil || int64(len(content)) != object.Size {
				t.Errorf("%s is listed with %d bytes and has %d, %v", object.Path, object.Size, len(content), err)
			}
			got = append(got, object.Path)
		}
		if !slices.Equal(got, want) {
			t.Errorf("below %q: %q, want %q", folder, got, want)
		}
	}
	for range n.sink.List(t.Context(), "") {
		break // leaving early is allowed
	}
}
