package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"rollcall/schema/disk"
	"rollcall/schema/fault"
)

// Version is that of the folder's layout. Version 1 had no number, no README, and files that
// others could read; it is taken up as it is.
const Version = 2

const (
	versionFile = "version"
	readmeFile  = "README"
)

// readme explains the folder to who finds it.
const readme = `This is the state folder of Rollcall: what a run has fetched from chat vendors and not sealed yet.

It holds personal data: who is in which group of the vendors' apps. It can be read by its owner
alone; keep it so, and keep it out of backups that live longer than the snapshots may.

  YYYY-MM-DD/   a night that is not sealed: copies of the ID lists, the answers so far, how far it
                is. It is removed by sealing. Deleted by hand, its date begins anew, and everything
                is asked again; so does: rollcall run --discard
  lock, holder.json     who is at work here
  owner                 a random name by which the sink knows the runs of this folder, and of its copies
  asked                 when a vendor was last asked, so that the next run keeps its distance
  version               of this folder's layout

All of it may be deleted whenever no run is at work: nothing that is sealed is lost by that.
Never delete it, or a part of it, while a run is at work.

These commands read it: run, plan and status (and demo, which has one of its own).
`

// upgrade refuses a folder of a newer layout and brings an older one up to date.
func (f *Folder) upgrade() error {
	version, err := readVersion(f.Path)
	if err != nil {
		return err
	}
	path := filepath.Join(f.Path, readmeFile)
	if text, err := os.ReadFile(path); err != nil || string(text) != readme {
		if err := disk.Replace(f.disk, path, fileMode, []byte(readme)); err != nil {
			return err
		}
	}
	if version == Version {
		return nil
	}
	return disk.Replace(f.disk, filepath.Join(f.Path, versionFile), fileMode, fmt.Appendf(nil, "%d\n", Version))
}

// readVersion gives the folder's version, 1 where it has none, and a fault where it is newer than
// this program.
func readVersion(folder string) (int, error) {
	path := filepath.Join(folder, versionFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 1, nil
	}
	if err != nil {
		return 0, err
	}
	version, err := strconv.Atoi(strings.TrimSpace(string(text)))
	switch {
	case err != nil || version < 1:
		return 0, &fault.Error{Kind: fault.Configuration, Message: path + " holds no version", Hint: "remove the file if no newer Rollcall worked in this folder, or the whole folder to begin anew"}
	case version > Version:
		return 0, &fault.Error{Kind: fault.Configuration,
			Message: fmt.Sprintf("the state folder %s is of version %d, and this program knows versions up to %d", folder, version, Version),
			Hint:    "a newer Rollcall has worked in it: go on with that one, or name another folder with --state, which asks everything again"}
	}
	return version, nil
}

// tighten takes from everybody else what they may do in the folder. What the machine does not let
// us change stays: a volume whose root is not ours, a file system without modes.
func tighten(folder string) error {
	root, err := filepath.EvalSymlinks(folder)
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return !ours(e.Name()) }) {
		if err := tightenOne(root, folderMode); err != nil {
			return err
		}
	}
	for _, e := range entries {
		if !ours(e.Name()) {
			continue // somebody keeps other things here too
		}
		err := filepath.WalkDir(filepath.Join(root, e.Name()), func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir():
				return tightenOne(path, folderMode)
			case d.Type().IsRegular():
				return tightenOne(path, fileMode)
			default:
				return nil
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func tightenOne(path string, mode fs.FileMode) error {
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Perm()&0o077 == 0 {
		return err
	}
	if err := os.Chmod(path, mode); err != nil && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return nil
}

// ours tells whether a name in the folder is one that this package gives.
func ours(name string) bool {
	name = strings.TrimSuffix(name, ".tmp")
	return slices.Contains([]string{versionFile, readmeFile, holderFile, "lock", "owner", "asked"}, name) || isNight(name) || strings.HasPrefix(name, discarded)
}
