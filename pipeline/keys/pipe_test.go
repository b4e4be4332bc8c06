//go:build unix

package keys_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"rollcall/pipeline/keys"
	"rollcall/schema/fault"
)

func TestAPipeInAFolderIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "part-0.txt"), 0o600); err != nil {
		t.Skip(err)
	}
	err := keys.Read(t.Context(), keys.ImportOptions{Path: dir, Temp: t.TempDir()}, func([]byte) error { return nil })
	if fault.KindOf(err) != fault.Configuration || !strings.Contains(err.Error(), "part-0.txt") {
		t.Errorf("%v", err)
	}
}
