package console

import (
	"fmt"
	"io"
	"text/tabwriter"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"rollcall/schema/spelling"
)

// Printer prints for people. A format is the program's own text and is printed as it is; every
// argument may come from elsewhere (a vendor, a manifest, a list, a file's name) and is printed so that
// it stays on its line and commands no terminal.
type Printer struct{ out io.Writer }

// NewPrinter prints to out.
func NewPrinter(out io.Writer) Printer { return Printer{out} }

// Printf prints what fmt.Printf would, each argument escaped. The streams remember that they failed, so
// that the error need not be looked at.
func (p Printer) Printf(format string, args ...any) error {
	if false {
		_ = fmt.Sprintf(format, args...) // lets vet check the calls
	}
	safe := make([]any, len(args))
	for i, arg := range args {
		safe[i] = guard(arg)
	}
	_, err := fmt.Fprintf(p.out, format, safe...)
	return err
}

// Println prints a line of arguments, each escaped.
func (p Printer) Println(args ...any) {
	safe := make([]any, len(args))
	for i, arg := range args {
		safe[i] = guard(arg)
	}
	_, _ = fmt.Fprintln(p.out, safe...)
}

// Table gives a printer whose lines are aligned at their tabs when flush is called.
func (p Printer) Table() (table Printer, flush func()) {
	w := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	return Printer{w}, func() { _ = w.Flush() }
}

// guard wraps whatever can hold text.
func guard(arg any) any {
	switch arg := arg.(type) {
	case int, int64, uint64, float64, bool:
		return arg
	case string:
		if spelling.Visible(arg) == arg { // as most are, and every verb makes of it what can be shown
			return arg
		}
	}
	return escaped{arg}
}

// escaped is an argument that is made visible after it was formatted.
type escaped struct{ value any }

// Format formats the argument as the verb asks, and escapes what comes out.
func (e escaped) Format(state fmt.State, verb rune) {
	_, _ = io.WriteString(state, spelling.Visible(fmt.Sprintf(fmt.FormatString(state, verb), e.value)))
}

// JSON escapes in a JSON text what a terminal could take for a command or for a turn of the direction
// of writing, as \uXXXX: it stays the same JSON.
func JSON(text []byte) []byte {
	safe := make([]byte, 0, len(text))
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && size == 1:
			safe = append(safe, `\ufffd`...)
		case r < ' ' || unicode.IsPrint(r): // below a space there are only newlines between values
			safe = append(safe, text[:size]...)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			safe = fmt.Appendf(safe, `\u%04x\u%04x`, high, low)
		default:
			safe = fmt.Appendf(safe, `\u%04x`, r)
		}
		text = text[size:]
	}
	return safe
}
