package disk_test

import (
	"errors"
	"os"
	"syscall"
	"testing"

	"rollcall/schema/disk"
)

// Linux's /proc can sync neither folders nor files, and says EINVAL as CIFS does of a folder.
func TestAFileSystemThatCantSyncFoldersIsUsedAndOneThatCantSyncFilesIsNot(t *testing.T) {
	t.Parallel()
	folder, err := os.Open("/proc/self")
	if err != nil {
		t.Skip("there is no /proc here")
	}
	defer folder.Close()
	if err := folder.Sync(); !errors.Is(err, syscall.EINVAL) {
		t.Skipf("the sync of a folder in /proc gives %v", err)
	}
	for name, d := range map[string]disk.Disk{"plain": disk.OS{}, "confined": disk.Beneath(disk.OS{}, "/proc/self")} {
		if err := d.SyncFolder("/proc/self/task"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := d.SyncFolder("/proc/self/none"); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: a folder that is not there gives %v", name, err)
		}
	}
	file, err := disk.OS{}.Append("/proc/self/comm", 0o600)
	if err != nil {
		t.Skip(err)
	}
	defer file.Close()
	if err := file.Sync(); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("the sync of a file that can't be synced gives %v", err)
	}
	if err := (disk.OS{}).SyncFolder(t.TempDir()); err != nil {
		t.Error(err)
	}
}
