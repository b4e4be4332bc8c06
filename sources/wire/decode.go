// Package wire reads what chat vendors put on the wire: JSON answers whose numbers come as
// numbers or as numeric strings, waits in every spelling of Retry-After, texts that must be
// quoted before a person sees them, and the address of an endpoint.
//
// Decoding is strict where a wrong answer could pass for a right one: broken or cut JSON,
// duplicate keys, trailing bytes and values of the wrong type are errors, and keys match in their
// exact case. It is lenient where vendors are known to vary: null stands for an empty list or an
// absent value, unknown fields are skipped, and a control character that stands in a string as it is,
// without an escape, is read as the escaped one would be. Invalid Unicode becomes U+FFFD in a display
// text and is counted; in an ID it is an error, since the ID would name somebody else. A display text of
// more than 64 KiB is cut and counted; an ID of more than 1,024 bytes is an error. What is only displayed
// (names, nicknames, types, times of joining) and has a value of the wrong type is absent and counted; IDs,
// roles, totals and codes with such a value are errors.
//
// What both vendors' walks over pages have in common is here as well ([Collector]): each row is kept
// once, rows that contradict each other are noticed, and a walk that brings nothing new is ended.
//
// Every error is a *fault.Error: Transient for an answer that can't be believed, Item for an ID
// that can't be kept. Nothing here is shared between calls.
package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"rollcall/schema"
	"rollcall/schema/fault"
)

// Decoder reads one answer, value by value. Its first error sticks: every later call returns a
// zero value, and Decode returns that error.
type Decoder struct {
	json    *jsontext.Decoder
	err     error
	altered Altered
	words   [4]string // the last Words, so that a column of a few words costs no memory
	next    int       // place of the next new word
}

// Altered counts the displayed values that are not kept as the vendor sent them.
type Altered struct {
	Replaced int // invalid Unicode became U+FFFD, or the value could not be read and is absent
	Cut      int // longer than schema.MaxText
}

// Add counts what another answer had.
func (a *Altered) Add(b Altered) { a.Replaced, a.Cut = a.Replaced+b.Replaced, a.Cut+b.Cut }

// Decode reads body, which must be one JSON object, and calls field for each of its keys. Field
// reads the value by exactly one call of d, or leaves it, and it is skipped. The name is valid
// until field returns. Where the body holds control characters without an escape, Decode begins once
// more and calls field for the first key again. It tells how many displayed values it altered.
func Decode(body []byte, field func(d *Decoder, name []byte)) (Altered, error) {
	altered, err := decode(body, field)
	if err != nil {
		if escaped, found := escapeControls(body); found {
			return decode(escaped, field)
		}
	}
	return altered, err
}

func decode(body []byte, field func(d *Decoder, name []byte)) (Altered, error) {
	// Invalid UTF-8 is let through here because text and ID below judge it, each in its own way.
	d := &Decoder{json: jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowInvalidUTF8(true))}
	if kind := d.json.PeekKind(); kind != '{' && kind != 0 {
		d.fail("an answer that is no JSON object")
	}
	d.Object(func(name []byte) { field(d, name) })
	if d.err == nil {
		if _, err := d.json.ReadToken(); !errors.Is(err, io.EOF) {
			d.fail("an answer with something behind its JSON")
		}
	}
	return d.altered, d.err
}

// Object calls field for each key of an object; null is an object without keys.
func (d *Decoder) Object(field func(name []byte)) {
	if !d.open('{') {
		return
	}
	for d.err == nil && d.json.PeekKind() != '}' {
		raw, ok := d.value()
		if !ok {
			return
		}
		start := d.json.InputOffset()
		field(plain(raw))
		if d.err == nil && d.json.InputOffset() == start {
			d.check(d.json.SkipValue())
		}
	}
	d.close()
}

// List calls element for each element of an array; null is an empty one. Element reads its value.
func (d *Decoder) List(element func()) {
	if !d.open('[') {
		return
	}
	for d.err == nil && d.json.PeekKind() != ']' {
		start := d.json.InputOffset()
		element()
		if d.err == nil && d.json.InputOffset() == start {
			d.check(d.json.SkipValue())
		}
	}
	d.close()
}

// escapeControls escapes the control characters that stand in the strings of a JSON text. One behind a
// backslash stays: nobody knows what was meant.
func escapeControls(body []byte) (escaped []byte, found bool) {
	inside, behindBackslash := false, false
	for _, b := range body {
		switch {
		case !inside:
			inside = b == '"'
		case behindBackslash:
			behindBackslash = false
		case b == '\\':
			behindBackslash = true
		case b == '"':
			inside = false
		case b < ' ':
			escaped, found = fmt.Appendf(escaped, `\u%04x`, b), true
			continue
		}
		escaped = append(escaped, b)
	}
	return escaped, found
}

// Text reads a display text; null is an absent one, and so is what is no text, which is counted.
func (d *Decoder) Text() schema.Text {
	raw, ok := d.value()
	switch {
	case !ok || raw.Kind() == 'n':
		return schema.Text{}
	case raw.Kind() != '"':
		d.altered.Replaced++
		return schema.Text{}
	}
	return schema.SomeText(d.display(raw))
}

// display is the display text of the JSON string raw.
func (d *Decoder) display(raw jsontext.Value) string {
	text, clean := unquote(raw)
	if !clean {
		d.altered.Replaced++
	}
	text, cut := schema.CutText(text)
	if cut {
		d.altered.Cut++
	}
	return text
}

// ID reads an ID exactly as the vendor spells it; null is an empty one.
func (d *Decoder) ID() string { return d.exact("ID", schema.MaxID) }

// Token reads what must be sent back as it is, to get the next page; null is an empty one.
func (d *Decoder) Token() string { return d.exact("page token", schema.MaxText) }

func (d *Decoder) exact(what string, most int) string {
	raw, ok := d.value()
	switch {
	case !ok || raw.Kind() == 'n':
		return ""
	case raw.Kind() != '"':
		d.fail("%s where %s belongs", raw.Kind(), article(what))
		return ""
	}
	text, clean := unquote(raw)
	switch {
	case !clean:
		d.err = fault.New(fault.Item, "invalid Unicode in the %s %s", what, Quote(text))
		return ""
	case len(text) > most:
		d.err = fault.New(fault.Item, "%s of %d bytes, of which %d are allowed", article(what), len(text), most)
		return ""
	}
	return text
}

func article(noun string) string {
	if strings.ContainsRune("AEIOU", rune(noun[0])) {
		return "an " + noun
	}
	return "a " + noun
}

// Echo reads what an answer repeats of its question: a text, or a number as it is spelled. Everything
// else repeats nothing, and is empty.
func (d *Decoder) Echo() string {
	raw, ok := d.value()
	if !ok {
		return ""
	}
	switch raw.Kind() {
	case '"':
		text, _ := unquote(raw)
		return text
	case '0':
		return string(raw)
	default:
		return ""
	}
}

// Word reads a short text or a number of the vendor's own, without the blanks around it; null and
// the empty text are an absent one.
func (d *Decoder) Word() schema.Text {
	word, kind := d.word()
	if kind != 0 {
		d.fail("%s where a word belongs", kind)
	}
	return word
}

// Label reads a Word that is only displayed: what is none is absent, and counted.
func (d *Decoder) Label() schema.Text {
	word, kind := d.word()
	if kind != 0 {
		d.altered.Replaced++
	}
	return word
}

// word reads a word. Kind is that of a value that is none, else 0.
func (d *Decoder) word() (_ schema.Text, kind jsontext.Kind) {
	raw, ok := d.value()
	if !ok || raw.Kind() == 'n' {
		return schema.Text{}, 0
	}
	switch raw.Kind() {
	case '0':
		return d.intern(raw), 0
	case '"':
		if simple(raw) && len(raw) <= schema.MaxText {
			return d.intern(bytes.TrimSpace(raw[1 : len(raw)-1])), 0
		}
		return d.intern(bytes.TrimSpace([]byte(d.display(raw)))), 0
	default:
		return schema.Text{}, raw.Kind()
	}
}

func (d *Decoder) intern(word []byte) schema.Text {
	if len(word) == 0 {
		return schema.Text{}
	}
	for _, known := range d.words {
		if string(word) == known {
			return schema.SomeText(known)
		}
	}
	fresh := string(word)
	d.words[d.next] = fresh
	d.next = (d.next + 1) % len(d.words)
	return schema.SomeText(fresh)
}

// Int reads a whole number that is a number or a numeric string; ok is false for null and for an
// empty string.
func (d *Decoder) Int() (n int64, ok bool) {
	n, digits, err := d.int()
	if err != nil {
		// A few characters show what stands there, and too few to give a secret away.
		const shown = 11
		text, more := []rune(string(digits)), ""
		if len(text) > shown {
			text, more = text[:shown], "…"
		}
		d.fail("%s where a whole number belongs", Quote(string(text)+more))
	}
	return n, err == nil && len(digits) > 0
}

// int reads a whole number. Digits are its text, and empty for null and an empty string.
func (d *Decoder) int() (n int64, digits []byte, err error) {
	raw, ok := d.value()
	if !ok || raw.Kind() == 'n' {
		return 0, nil, nil
	}
	digits = raw
	if raw.Kind() == '"' {
		if digits = bytes.TrimSpace(raw[1 : len(raw)-1]); len(digits) == 0 {
			return 0, nil, nil
		}
	}
	n, err = strconv.ParseInt(string(digits), 10, 64)
	return n, digits, err
}

// Time reads a moment counted in units of so many microseconds since 1970; null, "" and 0 are an
// absent one, and so is what is no whole number or out of range, which is counted.
func (d *Decoder) Time(unit int64) schema.Micros {
	n, _, err := d.int()
	micros := n * unit
	switch {
	case err != nil, micros/unit != n:
		d.altered.Replaced++
		return schema.Micros{}
	case n == 0:
		return schema.Micros{}
	}
	return schema.Micros{Value: micros, Valid: true}
}

// Fail refuses the answer for what it says.
func (d *Decoder) Fail(format string, args ...any) { d.fail(format, args...) }

func (d *Decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fault.New(fault.Transient, "%s (byte %d)", fmt.Sprintf(format, args...), d.json.InputOffset())
	}
}

// check keeps an error of the JSON itself. Its text comes from the parser, not from the vendor.
func (d *Decoder) check(err error) bool {
	if err == nil || d.err != nil {
		return d.err == nil
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		d.fail("an answer that ends too early")
	} else if broken, ok := errors.AsType[*jsontext.SyntacticError](err); ok && broken.Err != nil {
		d.fail("an answer that is no valid JSON: %s", strings.TrimPrefix(broken.Err.Error(), "jsontext: ")) // with a few characters of the answer at most
	} else {
		d.fail("an answer that is no valid JSON")
	}
	return false
}

// open steps into an object or array; false for null and on errors.
func (d *Decoder) open(kind jsontext.Kind) bool {
	if d.err != nil {
		return false
	}
	switch got := d.json.PeekKind(); got {
	case kind, 'n', 0:
		_, err := d.json.ReadToken()
		return d.check(err) && got == kind
	default:
		d.fail("%s where %s belongs", got, kind)
		return false
	}
}

func (d *Decoder) close() {
	if d.err == nil {
		_, err := d.json.ReadToken()
		d.check(err)
	}
}

func (d *Decoder) value() (jsontext.Value, bool) {
	if d.err != nil {
		return nil, false
	}
	raw, err := d.json.ReadValue()
	return raw, d.check(err)
}

// plain is the inside of the JSON string raw, which in a key hardly ever needs unquoting.
func plain(raw jsontext.Value) []byte {
	if simple(raw) {
		return raw[1 : len(raw)-1]
	}
	text, _ := unquote(raw)
	return []byte(text)
}

func simple(raw jsontext.Value) bool {
	return bytes.IndexByte(raw, '\\') < 0 && utf8.Valid(raw)
}

// unquote gives the text of the JSON string raw, and whether all of it was valid Unicode.
func unquote(raw jsontext.Value) (text string, clean bool) {
	if simple(raw) {
		return string(raw[1 : len(raw)-1]), true
	}
	unquoted, err := jsontext.AppendUnquote(nil, raw)
	return string(unquoted), err == nil
}
