package sinktest

import (
	"bytes"
	"slices"
	"testing"

	"rollcall/sinks"
)

func published(t *testing.T, place Place) {
	n := newNight(t, place, "a", nil)
	if err := n.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	sealed := place.files()
	path := sinks.ReportPath(date)
	for _, page := range []string{"<p>first, and longer than what takes its place</p>", "<p>second</p>"} {
		if err := n.sink.Publish(t.Context(), path, []byte(page)); err != nil {
			t.Fatal(err)
		}
		if got, err := read(t.Context(), n.sink, path); err != nil || string(got) != page {
			t.Errorf("read %q, %v; published %q", got, err, page)
		}
	}
	for name, want := range sealed {
		if got, err := read(t.Context(), n.sink, name); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what was sealed any more: %v", name, err)
		}
	}
	if manifests, err := n.sink.Manifests(t.Context()); err != nil || !slices.Equal(manifests, []string{sinks.ManifestPath(date)}) {
		t.Errorf("manifests %v, %v", manifests, err)
	}
	for _, path := range []string{sinks.ManifestPath(date), sinks.LockPath, "_reports/notes.html", "_reports/../users/" + date + ".html", ""} {
		if err := n.sink.Publish(t.Context(), path, []byte("x")); err == nil {
			t.Errorf("%q was taken for the place of a report", path)
		}
	}
}
