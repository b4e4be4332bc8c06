package s3

import (
	"bytes"
	"path/filepath"
	"slices"
	"testing"

	"rollcall/schema/disk"
)

func FuzzJournal(f *testing.F) {
	f.Add([]byte(`{"bucket":"b","key":"k","upload":"u"}` + "\n"))
	f.Add([]byte("{}\n{\"bucket\":1}\n\x00\n{\"bucket\":\"b\""))
	f.Fuzz(func(t *testing.T, text []byte) {
		before := parseJournal(text)
		for _, b := range before {
			if b.Bucket == "" || b.Key == "" || b.Upload == "" {
				t.Fatalf("half a line was taken: %+v", b)
			}
		}
		if bytes.ContainsAny(text, "\r") || len(text) > 60_000 {
			return
		}
		line := begun{Bucket: "bucket", Key: "key", Upload: "upload"}
		if after := parseJournal(append(bytes.TrimRight(text, "\n"), "\n{\"bucket\":\"bucket\",\"key\":\"key\",\"upload\":\"upload\"}\n"...)); !slices.Equal(after, append(before, line)) {
			t.Fatalf("a line after %q was lost: %+v", text, after)
		}
	})
}

func TestTheJournalGivesBackWhatWasAdded(t *testing.T) {
	t.Parallel()
	log := &journal{path: filepath.Join(t.TempDir(), "journal"), disk: disk.OS{}}
	want := []begun{{"b", "k1", "u1"}, {"b", "k\n2", "u2"}}
	for _, b := range want {
		if err := log.add(b); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := log.read(); err != nil || !slices.Equal(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	for range 2 {
		if err := log.forget(); err != nil {
			t.Error(err)
		}
	}
	if got, err := log.read(); err != nil || len(got) > 0 {
		t.Errorf("after forgetting: %+v, %v", got, err)
	}
}
