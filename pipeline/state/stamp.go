package state

import (
	"bytes"
	"fmt"
	"hash/crc32"
)

// stampMark begins the last line of a small file, which holds the checksum of the lines before it.
const stampMark = "crc32c "

// Stamp adds a line with its checksum to a text, which must end with a line feed.
func Stamp(text []byte) []byte {
	return fmt.Appendf(bytes.Clone(text), "%s%08x\n", stampMark, crc32.Checksum(text, crc32.MakeTable(crc32.Castagnoli)))
}

// Unstamp gives the text without its stamp, and whether it is what was stamped. Files of older
// versions have no stamp: of them nobody can tell.
func Unstamp(stamped []byte) (text []byte, whole bool) {
	at := bytes.LastIndex(stamped, []byte("\n"+stampMark)) + 1
	if at == 0 {
		return stamped, true
	}
	text = stamped[:at]
	return text, bytes.Equal(Stamp(text), stamped)
}
