package spool

import (
	"io"
	"os"
)

// disk is everything the spool does to change the file system, one step of a crash each.
type disk interface {
	mkdir(path string) error // with its parents
	create(path string) (file, error)
	rename(from, to string) error
	sync(dir string) error // makes the names in dir durable
	remove(path string) error
}

// file is a file being written.
type file interface {
	io.Writer
	Sync() error
	Close() error
}

type osDisk struct{}

func (osDisk) mkdir(path string) error { return os.MkdirAll(path, 0o700) }
func (osDisk) create(path string) (file, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}
func (osDisk) rename(from, to string) error { return os.Rename(from, to) }
func (osDisk) remove(path string) error     { return os.RemoveAll(path) }

func (osDisk) sync(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
