package wire

import (
	"html"
	"slices"
	"strconv"
	"strings"
)

const (
	longestQuote = 200  // characters that are kept
	lookedAt     = 1024 // characters that are looked at: no more can become part of a quote
	longestRun   = 20   // letters in a row that may be a word; more may be somebody's secret
	gramLength   = 8    // letters of a secret in a row that give it away
)

// Name makes an ID of the question's own fit for a message: at most 200 characters, quoted and escaped.
func Name(id string) string { return strconv.Quote(shorten(id)) }

// Quote makes a vendor's text fit for a message: secrets are taken out, then at most 200 characters
// are kept, quoted and escaped.
//
// What is hidden stands out wherever eight letters of it stand in a row, whatever their case, the
// alphabet of their base64, and what stands between them; percent-encoding and the escapes of JSON and
// HTML are seen through, however often they were applied. Secrets that nobody named (an older
// signature, one encoded anew) are known by their look: a run of more than 20 letters of base64 is
// taken out, unless it is made of words in lower case, as a path is.
func Quote(text string, hidden ...string) string { return strconv.Quote(Hide(text, hidden...)) }

// Hide is Quote without the quotes, for words that are partly the vendor's and partly a library's.
func Hide(text string, hidden ...string) string {
	runes := []rune(text)
	more := len(runes) > lookedAt
	runes = runes[:min(len(runes), lookedAt)]
	var masks []mask
	for _, letters := range [][]letter{undecoded(runes), decoded(runes, false), decoded(runes, true)} {
		masks = append(masks, runs(letters)...)
		for _, secret := range hidden {
			masks = append(masks, find(letters, []rune(secret))...)
		}
	}
	var b strings.Builder
	at := 0
	for _, m := range merged(masks) {
		b.WriteString(string(runes[at:m.from]))
		b.WriteString(m.instead())
		at = m.to
	}
	b.WriteString(string(runes[at:]))
	if more {
		b.WriteString("…")
	}
	return shorten(b.String())
}

func shorten(text string) string {
	if runes := []rune(text); len(runes) > longestQuote {
		return string(runes[:longestQuote]) + "…"
	}
	return text
}

// letter is one character of a text once its escapes are decoded, and the part of the text that it
// was spelled by.
type letter struct {
	r        rune
	from, to int
}

// mask is a part of a text that is not shown.
type mask struct {
	from, to int
	secret   bool // known to be one, not only likely
}

func (m mask) instead() string {
	if m.secret {
		return "(secret)"
	}
	return "(hidden)"
}

// merged gives the masks in order, those that meet as one.
func merged(masks []mask) []mask {
	slices.SortFunc(masks, func(a, b mask) int { return a.from - b.from })
	var all []mask
	for _, m := range masks {
		if last := len(all) - 1; last >= 0 && m.from <= all[last].to {
			all[last].to, all[last].secret = max(all[last].to, m.to), all[last].secret || m.secret
			continue
		}
		all = append(all, m)
	}
	return all
}

func undecoded(runes []rune) []letter {
	letters := make([]letter, len(runes))
	for i, r := range runes {
		letters[i] = letter{r, i, i + 1}
	}
	return letters
}

// decoded sees through all escapes. Each character is put on a stack; as soon as the top of it spells
// an escape, the character that is meant takes its place, and may itself be the end of another escape.
// Bare says that numeric entities of HTML may lack their semicolon.
func decoded(runes []rune, bare bool) []letter {
	var stack []letter
	for i, r := range runes {
		if bare && !digit(r, 16) && r != ';' {
			stack = bareEntity(stack)
		}
		stack = append(stack, letter{r, i, i + 1})
		for n := 1; n > 0; {
			stack, n = unescape(stack)
		}
	}
	if bare {
		return bareEntity(stack)
	}
	return stack
}

// unescape decodes the escape at the end of the stack, if there is one; n tells how many there were.
func unescape(stack []letter) (_ []letter, n int) {
	for _, form := range []struct {
		prefix string
		digits int
		base   int
	}{{"%", 2, 16}, {"%u", 4, 16}, {`\x`, 2, 16}, {`\u`, 4, 16}, {`\U`, 8, 16}, {`\`, 3, 8}} {
		start := len(stack) - form.digits - len(form.prefix)
		if start < 0 || !spells(stack[start:], form.prefix) {
			continue
		}
		if r, ok := number(stack[start+len(form.prefix):], form.base); ok && r < 0x80 {
			return replaced(stack, start, r), 1
		}
	}
	last := len(stack) - 1
	switch r := stack[last].r; {
	case r == ';':
		return entity(stack)
	case last > 0 && stack[last-1].r == '\\' && strings.ContainsRune(`/"'\`, r):
		return replaced(stack, last-1, r), 1
	case last > 0 && stack[last-1].r == '\\' && strings.ContainsRune("nrt", r):
		return replaced(stack, last-1, ' '), 1
	}
	return stack, 0
}

// entity decodes the entity of HTML that ends the stack with its semicolon.
func entity(stack []letter) (_ []letter, n int) {
	const longestEntity = 12
	for start := len(stack) - 2; start >= max(0, len(stack)-longestEntity); start-- {
		if stack[start].r != '&' {
			continue
		}
		if text := []rune(html.UnescapeString(spelled(stack[start:]))); len(text) == 1 {
			return replaced(stack, start, text[0]), 1
		}
		break
	}
	return stack, 0
}

// bareEntity decodes a numeric entity of HTML without a semicolon that ends the stack.
func bareEntity(stack []letter) []letter {
	start := len(stack) - 1
	for start > 0 && len(stack)-start < 8 && digit(stack[start].r, 16) {
		start--
	}
	base := 10
	if start > 1 && (stack[start].r == 'x' || stack[start].r == 'X') {
		base, start = 16, start-1
	}
	first := start + 1 + (base-10)/6
	if start < 1 || stack[start].r != '#' || stack[start-1].r != '&' || first >= len(stack) {
		return stack
	}
	if r, ok := number(stack[first:], base); ok {
		return replaced(stack, start-1, r)
	}
	return stack
}

func spells(letters []letter, text string) bool {
	for i, r := range []rune(text) {
		if letters[i].r != r {
			return false
		}
	}
	return true
}

func spelled(letters []letter) string {
	var b strings.Builder
	for _, l := range letters {
		b.WriteRune(l.r)
	}
	return b.String()
}

func number(digits []letter, base int) (rune, bool) {
	n, err := strconv.ParseUint(spelled(digits), base, 31)
	return rune(n), err == nil
}

func digit(r rune, base int) bool {
	return r >= '0' && r <= '9' || base == 16 && (r >= 'a' && r <= 'f' || r >= 'A' && r <= 'F')
}

// replaced puts one character in the place of all from start on.
func replaced(stack []letter, start int, r rune) []letter {
	to := stack[len(stack)-1].to
	return append(stack[:start], letter{r, stack[start].from, to})
}

// runs finds what looks like a secret.
func runs(letters []letter) (masks []mask) {
	for start := 0; start < len(letters); {
		end := start
		for end < len(letters) && base64(letters[end].r) {
			end++
		}
		if end-start > longestRun && !words(letters[start:end]) {
			masks = append(masks, mask{letters[start].from, letters[end-1].to, false})
		}
		start = end + 1
	}
	return masks
}

func base64(r rune) bool { return alphanumeric(r) || strings.ContainsRune("+/*-_", r) }

func alphanumeric(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

// words tells whether a run is words in lower case, none too long for one.
func words(run []letter) bool {
	length := 0
	for _, l := range run {
		switch {
		case l.r >= 'a' && l.r <= 'z':
			length++
		case l.r == '/' || l.r == '-' || l.r == '_':
			length = 0
		default:
			return false
		}
		if length > longestRun {
			return false
		}
	}
	return true
}

// find finds secret, and all parts of it that give it away.
func find(letters []letter, secret []rune) (masks []mask) {
	for _, s := range [][]letter{undecoded(secret), decoded(secret, false)} {
		masks = append(masks, grams(folded(letters), folded(s))...)
		if s = skeleton(s); len(s) >= gramLength {
			masks = append(masks, grams(skeleton(letters), s)...)
		}
	}
	return masks
}

// grams finds each part of secret that is long enough to give it away.
func grams(text, secret []letter) (masks []mask) {
	length := min(gramLength, len(secret))
	if length == 0 {
		return nil
	}
	known := map[string]bool{}
	for i := 0; i+length <= len(secret); i++ {
		known[spelled(secret[i:i+length])] = true
	}
	for i := 0; i+length <= len(text); i++ {
		if known[spelled(text[i:i+length])] {
			masks = append(masks, mask{text[i].from, text[i+length-1].to, true})
		}
	}
	return masks
}

// folded is text in lower case.
func folded(text []letter) []letter {
	lower := slices.Clone(text)
	for i, l := range lower {
		if l.r >= 'A' && l.r <= 'Z' {
			lower[i].r = l.r - 'A' + 'a'
		}
	}
	return lower
}

// skeleton is text in lower case without anything but letters and digits of ASCII, which all the
// alphabets of base64 share.
func skeleton(text []letter) []letter {
	return slices.DeleteFunc(folded(text), func(l letter) bool { return !alphanumeric(l.r) })
}
