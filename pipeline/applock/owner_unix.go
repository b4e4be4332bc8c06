//go:build unix

package applock

import (
	"io/fs"
	"syscall"
)

// shared says how others than a user can get at a folder; empty: they can't.
func shared(info fs.FileInfo, uid int) string {
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !ok || int(stat.Uid) != uid:
		return "belongs to another user"
	case info.Mode().Perm()&0o077 != 0:
		return "is open to other users"
	}
	return ""
}
