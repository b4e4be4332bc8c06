package sorted

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// Inside a key a string is its bytes with every 0x00 written as 0x00 0xFF, ended by 0x00 0x01. The
// end sorts before every byte that a longer string could go on with, so that concatenated parts
// sort like the tuple of the parts.
const (
	mark    = 0x00
	end     = 0x01
	escaped = 0xFF
)

var errCut = errors.New("the key is cut short or was not made by package sorted")

// AppendString appends s to a key so that keys sort by s, then by what follows.
func AppendString(dst []byte, s string) []byte {
	for i := range len(s) {
		dst = append(dst, s[i])
		if s[i] == mark {
			dst = append(dst, escaped)
		}
	}
	return append(dst, mark, end)
}

// CutString reads the string at the start of a key and gives what follows. Text aliases key
// unless it holds a zero byte.
func CutString(key []byte) (text, rest []byte, err error) {
	n := bytes.IndexByte(key, mark)
	if n >= 0 && n+1 < len(key) && key[n+1] == end {
		return key[:n:n], key[n+2:], nil
	}
	text = []byte{}
	for n >= 0 && n+1 < len(key) {
		text = append(text, key[:n]...)
		after := key[n+1]
		key = key[n+2:]
		switch after {
		case end:
			return text, key, nil
		case escaped:
			text = append(text, mark)
		default:
			return nil, nil, errCut
		}
		n = bytes.IndexByte(key, mark)
	}
	return nil, nil, errCut
}

// AppendUint16 appends v to a key so that keys sort by v.
func AppendUint16(dst []byte, v uint16) []byte { return binary.BigEndian.AppendUint16(dst, v) }

// AppendUint32 appends v to a key so that keys sort by v.
func AppendUint32(dst []byte, v uint32) []byte { return binary.BigEndian.AppendUint32(dst, v) }

// AppendUint64 appends v to a key so that keys sort by v.
func AppendUint64(dst []byte, v uint64) []byte { return binary.BigEndian.AppendUint64(dst, v) }

// CutUint16 reads what AppendUint16 appended.
func CutUint16(key []byte) (v uint16, rest []byte, err error) {
	if len(key) < 2 {
		return 0, nil, errCut
	}
	return binary.BigEndian.Uint16(key), key[2:], nil
}

// CutUint32 reads what AppendUint32 appended.
func CutUint32(key []byte) (v uint32, rest []byte, err error) {
	if len(key) < 4 {
		return 0, nil, errCut
	}
	return binary.BigEndian.Uint32(key), key[4:], nil
}

// CutUint64 reads what AppendUint64 appended.
func CutUint64(key []byte) (v uint64, rest []byte, err error) {
	if len(key) < 8 {
		return 0, nil, errCut
	}
	return binary.BigEndian.Uint64(key), key[8:], nil
}
