package local

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// disk is every change that this package makes to the file system. A test may look in before each.
type disk struct {
	before func(operation, path string) error
}

func (d disk) step(operation, path string) error {
	if d.before == nil {
		return nil
	}
	return d.before(operation, path)
}

// mkdir makes a folder with its parents, readable by all.
func (d disk) mkdir(path string) error {
	if err := d.step("mkdir", path); err != nil {
		return err
	}
	return os.MkdirAll(path, 0o755)
}

// write makes a file of what from gives, whole and synced. A file that could not be written is removed.
func (d disk) write(path string, from io.Reader) (err error) {
	if err := d.step("create", path); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, file.Close()); err != nil {
			_ = os.Remove(path)
		}
	}()
	if _, err := io.Copy(file, from); err != nil {
		return err
	}
	if err := d.step("sync", path); err != nil {
		return err
	}
	return file.Sync()
}

// rename moves a file over whatever has the new name.
func (d disk) rename(from, to string) error {
	if err := d.step("rename", to); err != nil {
		return err
	}
	return os.Rename(from, to)
}

// link gives a file a second name, and fails where that name is taken.
func (d disk) link(from, to string) error {
	if err := d.step("link", to); err != nil {
		return err
	}
	return os.Link(from, to)
}

// syncFolder makes the names in a folder survive a power cut.
func (d disk) syncFolder(path string) error {
	if err := d.step("sync folder", path); err != nil {
		return err
	}
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// syncUp syncs the folder of path and those above it, up to root.
func (d disk) syncUp(root, path string) error {
	for folder := filepath.Dir(path); ; folder = filepath.Dir(folder) {
		if err := d.syncFolder(folder); err != nil {
			return err
		}
		if folder == root || folder == filepath.Dir(folder) {
			return nil
		}
	}
}

// remove removes a file; one that is gone is removed.
func (d disk) remove(path string) error {
	if err := d.step("remove", path); err != nil {
		return err
	}
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// removeAll removes a folder with all in it.
func (d disk) removeAll(path string) error {
	if err := d.step("remove all", path); err != nil {
		return err
	}
	return os.RemoveAll(path)
}
