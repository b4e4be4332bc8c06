package spelling

import (
	"fmt"
	"unicode"
)

// Unprintable tells which character of text is not printable ASCII, or is a blank at one of its ends, and
// where: "begins with a byte order mark (U+FEFF)". It is empty where there is none. Nothing else of the text
// is told.
func Unprintable(text string) string {
	last := 0
	for at := range text {
		last = at
	}
	found, where := rune(-1), ""
	for at, r := range text {
		end := at == 0 || at == last
		if r > ' ' && r <= '~' || r == ' ' && !end {
			continue
		}
		if found < 0 || end { // what is at an end came with a copy or a file, and is easily taken away
			found, where = r, "holds"
			switch at {
			case 0:
				return "begins with " + character(r)
			case last:
				where = "ends with"
			}
		}
	}
	if found < 0 {
		return ""
	}
	return where + " " + character(found)
}

// Invisible tells of the first character that can't be seen, as Unprintable does; letters of any script are
// well.
func Invisible(text string) string {
	for _, r := range text {
		if !unicode.IsPrint(r) || r == ' ' {
			return "holds " + character(r)
		}
	}
	return ""
}

// character names one character.
func character(r rune) string {
	switch r {
	case '\n', '\r':
		return "a line break"
	case ' ':
		return "a blank"
	case '\t':
		return "a tab"
	case '\uFEFF':
		return "a byte order mark (U+FEFF)"
	case '\u00A0':
		return "a no-break space (U+00A0)"
	case '\u200B':
		return "a zero-width space (U+200B)"
	default:
		return fmt.Sprintf("the character %U", r)
	}
}
