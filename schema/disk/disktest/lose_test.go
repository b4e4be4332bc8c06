package disktest

import (
	"os"
	"path/filepath"
	"testing"
)

// TestAFileComesBackWithTheFolderThatItLeft: its folder was empty then, and was removed. Where that is
// durable, the name that the file had in it is gone as well.
func TestAFileComesBackWithTheFolderThatItLeft(t *testing.T) {
	t.Parallel()
	for name, synced := range map[string]bool{"nothing was synced": false, "the removal was synced": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			folder := filepath.Join(root, "groups", "date")
			must(t, os.MkdirAll(folder, 0o700))
			must(t, os.Mkdir(filepath.Join(root, "staging"), 0o700))
			before, after := filepath.Join(folder, "part"), filepath.Join(root, "staging", "removed")
			must(t, os.WriteFile(before, []byte("rows"), 0o600))

			d := New(t, Options{})
			must(t, d.Rename(before, after))
			must(t, d.Remove(folder))
			if synced {
				must(t, d.SyncFolder(filepath.Dir(folder)))
			}
			d.Lose(t, Everything)
			if back := !missing(before); back == synced {
				t.Errorf("the file is back in its folder: %v", back)
			}
			if left := !missing(after); left != synced {
				t.Errorf("the file is where it was moved to: %v", left)
			}
			if back := !missing(folder); back == synced {
				t.Errorf("the folder is back: %v", back)
			}
		})
	}
}
