package keys

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"rollcall/schema/fault"
)

// Check tells what keeps id from being an ID of a list.
func Check(id []byte) error {
	if err := check(id); err != nil {
		return err
	}
	return checkEnds(id)
}

// check tells what no ID may be, wherever it comes from.
func check(id []byte) error {
	switch {
	case len(id) == 0:
		return slip("leave out rows without an ID", "an empty ID")
	case len(id) > MaxID:
		return slip("check that this is a list of IDs, one a line, and that the right column is named", "an ID of %d bytes: at most %d are allowed", len(id), MaxID)
	case !utf8.Valid(id):
		return slip("save the list as UTF-8", "an ID that is not valid UTF-8")
	case bytes.IndexByte(id, 0) >= 0:
		return slip("save the list as UTF-8 text", "an ID with a NUL byte")
	case bytes.ContainsAny(id, "\r\n"):
		return slip("an ID is one line; check the quotes in the list", "an ID with a line break, %.40q", id)
	}
	return nil
}

func slip(hint, message string, args ...any) error {
	return &fault.Error{Kind: fault.Configuration, Message: fmt.Sprintf(message, args...), Hint: hint}
}

// checkEnds refuses blanks and unseen characters at the ends of an ID. They are seldom meant: kept, they
// would make an ID that nobody has, and vendors tell an unknown user from one without groups badly; dropped,
// they would make another ID where they are meant.
func checkEnds(id []byte) error {
	if plain(id[0]) && plain(id[len(id)-1]) {
		return nil
	}
	first, _ := utf8.DecodeRune(id)
	last, _ := utf8.DecodeLastRune(id)
	switch {
	case first == byteOrderMark:
		return slip("files were put together: leave out the marks, and the headers of all but the first", "%q begins with a byte order mark", id)
	case blank(first) || blank(last):
		return slip("take the blanks out", "%q begins or ends with blank space", id)
	case unseen(first) || unseen(last):
		return slip("take it out; the message shows it as a backslash and its number", "%q begins or ends with a character that can't be seen", id)
	}
	return nil
}

// plain tells whether b is a printable character of ASCII other than the blank.
func plain(b byte) bool { return b > ' ' && b < 0x7f }

// blank tells whether a person sees r as space.
func blank(r rune) bool {
	return unicode.IsSpace(r) || strings.ContainsRune("\u2800\u3164\uffa0\u115f\u1160", r) // fillers that look like spaces
}

// unseen tells whether a person sees nothing of r: control characters, and those that only shape text.
// The tags at the end of some emoji belong to what is seen.
func unseen(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) && (r < 0xE0000 || r > 0xE007F)
}

// checkSlips tells what is a slip in an ID of a format that doesn't mark texts as texts.
func (l *list) checkSlips(id []byte) error {
	if inQuotes(id) {
		return slip("take the quotes out; where they belong to the ID, give the list as .ndjson", "%q is in quotes", id)
	}
	if at := bytes.IndexFunc(id, dividing); at >= 0 && (id[at] != '\t' || l.format != text) { // of text, the TAB is told apart
		r, _ := utf8.DecodeRune(id[at:])
		return slip("if it divides columns or IDs, write one ID a line, or name the file .csv and say delimiter; where it belongs to the ID, give the list as .ndjson", "%q holds %U, which can't be seen", id, r)
	}
	if boxed(id) {
		return slip("write the list without a frame, one ID a line; where it is an ID, give the list as .ndjson", "%q is the frame of a table that was made for people", id)
	}
	switch string(id) {
	case `\N`, "NULL", "NaN", "nan", "None", "<NA>", "<null>", "(null)", "#N/A": // null is what some apps call a user
		return slip("leave out rows without an ID; where it is an ID, give the list as .ndjson", "%q stands for a missing value", id)
	}
	return nil
}

// dividing tells whether r divides columns, lines or files: the TAB, Hive's 0x01 to 0x03, the separators of
// ASCII, line breaks of other systems, the byte order mark of a file that was put behind another one. Other
// control characters belong to the ID.
func dividing(r rune) bool {
	return strings.ContainsRune("\t\x01\x02\x03\v\f\x1c\x1d\x1e\x1f\u0085\u2028\u2029", r) || r == byteOrderMark
}

// boxed tells whether id is a line such as +-----+, as the clients of databases draw them.
func boxed(id []byte) bool {
	last := len(id) - 1
	return last > 1 && id[0] == '+' && id[last] == '+' && len(bytes.Trim(id, "+-=")) == 0
}

// inQuotes tells whether id stands in quotes: of a program's list, perhaps with a comma behind, or of a
// formula by which spreadsheets keep leading zeros.
func inQuotes(id []byte) bool {
	id = bytes.TrimRight(bytes.TrimPrefix(id, []byte("=")), ",;")
	if len(id) < 2 {
		return false
	}
	last := id[len(id)-1]
	return id[0] == last && (last == '"' || last == '\'' || last == '`')
}

// numbers remembers whether all IDs of a list are numbers, and where the first float among them is.
type numbers struct {
	others bool // there is an ID that is no number
	float  string
	place  string
	shown  string // the first that only spreadsheets write so, whatever else there is, with its place
}

// add looks at one ID.
func (n *numbers) add(id []byte, place func() string) {
	if n.shown == "" && displayed(id) {
		n.shown = fmt.Sprintf("%s: %q", place(), id)
	}
	if n.others {
		return
	}
	switch whole, float := numberOf(id); {
	case float && n.float == "":
		n.float, n.place = string(id), place()
	case !whole && !float:
		n.others = true
	}
}

// displayed tells whether id is written as spreadsheets show numbers of many digits, such as 1.70E+12. That is an
// ID among no others: one sign stands for many of them.
func displayed(id []byte) bool {
	at := bytes.IndexByte(id, '+')
	if at < 2 || id[at-1]|0x20 != 'e' || len(id)-at-1 < 2 || len(id)-at-1 > 3 {
		return false
	}
	_, float := numberOf(id)
	return float
}

// numberOf tells whether id is a whole number, or one as floats are written: 10001.0 or 1.7E12.
func numberOf(id []byte) (whole, float bool) {
	id = bytes.TrimPrefix(id, []byte("-"))
	if len(id) == 0 || id[0] < '0' || id[0] > '9' || digits(id) {
		return digits(id), false
	}
	mantissa, exponent, scientific := bytes.Cut(bytes.ToUpper(id), []byte("E"))
	integer, fraction, point := bytes.Cut(bytes.ReplaceAll(mantissa, []byte(","), []byte(".")), []byte("."))
	if !digits(integer) || point && !digits(fraction) || scientific && !digits(bytes.TrimPrefix(exponent, []byte("+"))) {
		return false, false
	}
	return false, scientific || len(bytes.Trim(fraction, "0")) == 0
}

func digits(text []byte) bool {
	for _, b := range text {
		if b < '0' || b > '9' {
			return false
		}
	}
	return len(text) > 0
}

// check refuses floats where all else is whole numbers.
func (n *numbers) check() error {
	found := ""
	switch {
	case n.float != "" && !n.others:
		found = fmt.Sprintf("%s: %q stands among whole numbers", n.place, n.float)
	case n.shown != "":
		found = n.shown + " is how spreadsheets show long numbers"
	default:
		return nil
	}
	return slip("write the column as text, or as whole numbers, from where the IDs come from: what was rounded away can't be got back. Where these are the IDs, give them as texts in .ndjson",
		"%s: a spreadsheet or pandas made floats of IDs", found)
}

// finish looks back on all IDs of a list.
func (l *list) finish() error {
	if err := l.numbers.check(); err != nil {
		return err
	}
	if l.divided != "" && l.count == 1 {
		return l.fault(0, "write one ID a line; where it belongs to the ID, name the ID in the configuration: values = [...]",
			"there is one line, which holds %q and would be one ID", l.divided[:1])
	}
	if divided := strings.TrimSuffix(l.divided, " "); divided != "" && l.warn != nil { // of many, blanks are part of names
		l.warn(fmt.Sprintf("%s: each line holds %q, and is taken for one ID", l.name, divided[:1]),
			fmt.Sprintf("where it divides columns, name the file .csv and say delimiter = %q; where it belongs to the IDs, give the list as .ndjson", divided[:1]))
	}
	return nil
}

// alike tells whether a header has the shape of the ID below it: both have digits, and letters, digits and
// other characters follow each other alike, or stand at the same places.
func alike(header, id string) bool {
	return strings.ContainsAny(header, "0123456789") && strings.ContainsAny(id, "0123456789") &&
		(shape(header, true) == shape(id, true) || shape(header, false) == shape(id, false))
}

// shape writes text with one sign for each letter and digit: runs of them as one, else letters and digits alike.
func shape(text string, runs bool) string {
	var b strings.Builder
	last := rune(-1)
	for _, r := range text {
		switch {
		case unicode.IsDigit(r) && runs:
			r = '0'
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			r = 'a'
		}
		if !runs || r != last || r != '0' && r != 'a' {
			b.WriteRune(r)
		}
		last = r
	}
	return b.String()
}
