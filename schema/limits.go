package schema

import "unicode/utf8"

// MaxID is how many bytes an ID may have, in a list and in a vendor's answer.
const MaxID = 1024

// MaxText is how many bytes a display text may have: a name, a nickname, an extra, a vendor's word
// for a type or a role. A longer one is cut.
const MaxText = 64 << 10

// cutMark ends a text that was cut.
const cutMark = "… [cut]"

// CutText gives text as it may be stored: one of more than MaxText bytes is cut between two
// characters and ends with a mark, MaxText bytes long at most. Cut tells whether it was.
func CutText(text string) (_ string, cut bool) {
	if len(text) <= MaxText {
		return text, false
	}
	end := MaxText - len(cutMark)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + cutMark, true
}
