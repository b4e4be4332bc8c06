package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"rollcall/schema/advice"
	"rollcall/schema/spelling"
)

// Diagnostics are the faults and warnings of one configuration, in the order of their places in
// the file. The zero value means that all is well.
type Diagnostics struct {
	list  hcl.Diagnostics
	files map[string]*hcl.File        // with secrets blanked out
	line  func(advice.Command) string // nil: commands stand alone
}

// newDiagnostics sorts list; masked is the text as it may be shown.
func newDiagnostics(path string, text []byte, file *hcl.File, masked []byte, list hcl.Diagnostics) Diagnostics {
	shown := &hcl.File{Bytes: masked}
	if file != nil {
		shown.Nav, shown.Body = file.Nav, file.Body
	}
	if list.HasErrors() { // what is not used may only be misspelt where it is
		list = slices.DeleteFunc(list, func(d *hcl.Diagnostic) bool { return d.Severity == hcl.DiagWarning })
	}
	slices.SortStableFunc(list, func(a, b *hcl.Diagnostic) int { return start(a, len(text)) - start(b, len(text)) })
	for _, d := range list {
		d.Expression, d.EvalContext, d.Context = nil, nil, nil
	}
	return Diagnostics{list: list, files: map[string]*hcl.File{path: shown}}
}

// Saying gives the diagnostics with the commands in them as line has them.
func (d Diagnostics) Saying(line func(advice.Command) string) Diagnostics {
	d.line = line
	return d
}

// detail is what one diagnostic says to do.
func (d Diagnostics) detail(one *hcl.Diagnostic) string {
	commands, _ := one.Extra.([]advice.Command)
	if d.line == nil {
		return advice.Say(one.Detail, commands...).String()
	}
	return advice.Say(one.Detail, commands...).Render(d.line)
}

// start is where d begins; what concerns the whole file comes last.
func start(d *hcl.Diagnostic, last int) int {
	if d.Subject == nil {
		return last + 1
	}
	return d.Subject.Start.Byte
}

// HasErrors tells whether anything but warnings was found.
func (d Diagnostics) HasErrors() bool { return d.list.HasErrors() }

// Len is how many faults and warnings there are.
func (d Diagnostics) Len() int { return len(d.list) }

// Write prints all faults and warnings for people, with the source lines they are about. Width is
// that of the terminal; 0 leaves long lines as they are.
func (d Diagnostics) Write(w io.Writer, color bool, width int) error {
	for _, one := range d.list {
		var text bytes.Buffer
		one, files := d.visible(one)
		writer := hcl.NewDiagnosticTextWriter(&text, files, uint(max(width, 0)), color)
		if err := writer.WriteDiagnostic(one); err != nil {
			return err
		}
		printed := text.Bytes()
		if at := one.Subject; at != nil {
			place := fmt.Sprintf("  on %s line %d", at.Filename, at.Start.Line)
			exact := fmt.Sprintf("  on %s:%d:%d", at.Filename, at.Start.Line, at.Start.Column)
			printed = bytes.Replace(printed, []byte(place), []byte(exact), 1)
		}
		if _, err := w.Write(printed); err != nil {
			return err
		}
	}
	return nil
}

// visible is a fault whose words and file name keep to their lines, whatever they quote. Lines of its own
// are indented.
func (d Diagnostics) visible(of *hcl.Diagnostic) (*hcl.Diagnostic, map[string]*hcl.File) {
	one := *of
	one.Summary = spelling.Visible(one.Summary)
	lines := strings.Split(d.detail(of), ownLine)
	for i := range lines {
		lines[i] = spelling.Visible(lines[i])
	}
	one.Detail = strings.Join(lines, ownLine)
	if one.Subject == nil {
		return &one, d.files
	}
	at := *one.Subject
	at.Filename = spelling.Visible(at.Filename)
	one.Subject = &at
	return &one, map[string]*hcl.File{at.Filename: d.files[of.Subject.Filename]}
}

// ownLine begins a further line of a detail.
const ownLine = "\n  "

// Diagnostic is one fault or warning as JSON gives it.
type Diagnostic struct {
	Severity string `json:"severity"` // error or warning
	Summary  string `json:"summary"`
	Detail   string `json:"detail,omitempty"`
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`   // from 1
	Column   int    `json:"column,omitempty"` // from 1, in characters
	EndLine  int    `json:"end_line,omitempty"`
	EndCol   int    `json:"end_column,omitempty"`
	Source   string `json:"source,omitempty"` // the line, secrets blanked out
}

// List gives all faults and warnings as plain data.
func (d Diagnostics) List() []Diagnostic {
	all := make([]Diagnostic, 0, len(d.list))
	for _, one := range d.list {
		plain := Diagnostic{Severity: "error", Summary: one.Summary, Detail: d.detail(one)}
		if one.Severity == hcl.DiagWarning {
			plain.Severity = "warning"
		}
		if at := one.Subject; at != nil {
			plain.File, plain.Line, plain.Column = at.Filename, at.Start.Line, at.Start.Column
			plain.EndLine, plain.EndCol = at.End.Line, at.End.Column
			plain.Source = line(d.files[at.Filename], at.Start.Byte)
		}
		all = append(all, plain)
	}
	return all
}

// MarshalJSON gives the list of faults and warnings.
func (d Diagnostics) MarshalJSON() ([]byte, error) { return json.Marshal(d.List()) }

// line is the line around a byte of the file.
func line(file *hcl.File, at int) string {
	if file == nil || at > len(file.Bytes) {
		return ""
	}
	begin := bytes.LastIndexByte(file.Bytes[:at], '\n') + 1
	rest, _, _ := bytes.Cut(file.Bytes[begin:], []byte("\n"))
	return string(bytes.TrimSuffix(rest, []byte("\r")))
}
