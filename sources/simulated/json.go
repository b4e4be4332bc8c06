package simulated

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// LoneSurrogate is half an emoji as text of this package may hold it: the three bytes that UTF-8
// would need if it allowed surrogates. It goes out as \ud83d, and a client reads U+FFFD.
const LoneSurrogate = "\xed\xa0\xbd"

// text is JSON written by hand: the server must not be what a throughput test measures.
type text struct {
	b      []byte
	quoted bool // numbers go out as strings
	ascii  bool // everything beyond ASCII is escaped
}

func (t *text) raw(s string) { t.b = append(t.b, s...) }

func (t *text) string(s string) {
	t.b = append(t.b, '"')
	t.b = appendEscaped(t.b, s, t.ascii)
	t.b = append(t.b, '"')
}

func (t *text) number(n int64) {
	if t.quoted {
		t.b = append(t.b, '"')
	}
	t.b = strconv.AppendInt(t.b, n, 10)
	if t.quoted {
		t.b = append(t.b, '"')
	}
}

// comma separates what follows from a sibling before it.
func (t *text) comma() {
	if last := t.b[len(t.b)-1]; last != '[' && last != '{' {
		t.b = append(t.b, ',')
	}
}

// key starts a field; name needs no escaping.
func (t *text) key(name string) {
	t.comma()
	t.b = append(t.b, '"')
	t.b = append(t.b, name...)
	t.b = append(t.b, '"', ':')
}

const hexDigits = "0123456789abcdef"

func appendEscaped(b []byte, s string, ascii bool) []byte {
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		size := 1
		if c >= utf8.RuneSelf {
			var r rune
			r, size = utf8.DecodeRuneInString(s[i:])
			if !ascii && (r != utf8.RuneError || size > 1) {
				i += size
				continue
			}
			b = append(b, s[start:i]...)
			var eaten int
			b, eaten = appendRune(b, r, size, s[i:])
			size = eaten
		} else {
			b = append(b, s[start:i]...)
			b = appendControl(b, c)
		}
		i += size
		start = i
	}
	return append(b, s[start:]...)
}

func appendControl(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\n':
		return append(b, '\\', 'n')
	case '\t':
		return append(b, '\\', 't')
	default:
		return append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
	}
}

func appendRune(b []byte, r rune, size int, rest string) ([]byte, int) {
	if r == utf8.RuneError && size == 1 {
		if half, ok := surrogate(rest); ok {
			return appendUnit(b, half), 3
		}
		return appendUnit(b, 0xfffd), 1
	}
	if r >= 0x10000 {
		r -= 0x10000
		b = appendUnit(b, 0xd800+r>>10)
		return appendUnit(b, 0xdc00+r&0x3ff), size
	}
	return appendUnit(b, r), size
}

func appendUnit(b []byte, u rune) []byte {
	return append(b, '\\', 'u', hexDigits[u>>12&15], hexDigits[u>>8&15], hexDigits[u>>4&15], hexDigits[u&15])
}

// surrogate reads one half of a pair from its three bytes.
func surrogate(s string) (rune, bool) {
	if len(s) < 3 || s[0] != 0xed || s[1] < 0xa0 || s[1] > 0xbf || s[2]&0xc0 != 0x80 {
		return 0, false
	}
	return 0xd000 | rune(s[1]&0x3f)<<6 | rune(s[2]&0x3f), true
}

// readable is the text as a client can hold it: each lone surrogate and each invalid byte is U+FFFD.
func readable(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if _, ok := surrogate(s[i:]); ok {
			size = 3
		}
		b.WriteRune(r)
		i += size
	}
	return b.String()
}
