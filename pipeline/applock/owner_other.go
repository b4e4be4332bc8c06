//go:build !unix

package applock

import "io/fs"

// shared can't be told where files have no numbered owner; there the temporary folder is the user's own.
func shared(fs.FileInfo, int) string { return "" }
