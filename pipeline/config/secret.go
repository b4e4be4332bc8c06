package config

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// checkSecret checks that a secret comes from env() or file().
func (l *loader) checkSecret(attribute *hclsyntax.Attribute) bool {
	if secretSource(attribute.Expr) {
		l.warnOfReaders(attribute.Expr)
		return true
	}
	if call, ok := attribute.Expr.(*hclsyntax.FunctionCallExpr); ok && call.Name == "env" {
		l.fault(attribute.Expr.Range(), fmt.Sprintf("%s can have no default", attribute.Name), "A default in the configuration is a secret in the configuration. Leave it out.")
		return false
	}
	from := fmt.Sprintf("env(%q)", strings.ToUpper(attribute.Name))
	if attribute.Name == signingKey {
		from = `file("rollcall-key.pem")`
	}
	l.fault(attribute.Expr.Range(), fmt.Sprintf("%s must come from env() or file()", attribute.Name),
		fmt.Sprintf("A secret in the configuration ends up in backups and version control. Write: %s = %s", attribute.Name, from))
	return false
}

// warnOfReaders warns where a secret's file can be read by others than its owner and its group, or stands
// in a folder in which others can replace it. That a group may read it is common, and meant.
func (l *loader) warnOfReaders(expression hclsyntax.Expression) {
	call, ok := fileCall(expression)
	if !ok || l.options.FileInfo == nil {
		return
	}
	value, faults := call.Args[0].Value(nil)
	if faults.HasErrors() || !value.IsKnown() || value.IsNull() || value.Type() != cty.String {
		return // it is not spelt out, or whoever reads it says what is wrong
	}
	name := value.AsString()
	path := l.localPath(name)
	const (
		othersRead  = 0o004
		othersWrite = 0o002
	)
	if info, err := l.options.FileInfo(path); err == nil && info.Mode().Perm()&othersRead != 0 {
		l.warn(call.Range(), fmt.Sprintf("%s can be read by others", name),
			fmt.Sprintf("Whoever has an account on this machine can read this secret. Run: chmod 600 %s (of a secret that Kubernetes mounts: defaultMode: 0400)", path))
	}
	info, err := l.options.FileInfo(filepath.Dir(path))
	if err == nil && info.Mode().Perm()&othersWrite != 0 && info.Mode()&fs.ModeSticky == 0 {
		l.warn(call.Range(), fmt.Sprintf("%s can be replaced by others", name),
			"Whoever has an account on this machine can write in its folder, and put another secret in its place. Take that right away with chmod o-w.")
	}
}

// fileCall is the call of file() that an expression is.
func fileCall(expression hclsyntax.Expression) (*hclsyntax.FunctionCallExpr, bool) {
	switch e := expression.(type) {
	case *hclsyntax.ParenthesesExpr:
		return fileCall(e.Expression)
	case *hclsyntax.TemplateWrapExpr:
		return fileCall(e.Wrapped)
	case *hclsyntax.FunctionCallExpr:
		return e, e.Name == "file" && len(e.Args) == 1
	}
	return nil, false
}

// secretSource tells whether an expression is a call of env or file without a default of its own.
func secretSource(expression hclsyntax.Expression) bool {
	switch e := expression.(type) {
	case *hclsyntax.ParenthesesExpr:
		return secretSource(e.Expression)
	case *hclsyntax.TemplateWrapExpr:
		return secretSource(e.Wrapped)
	case *hclsyntax.FunctionCallExpr:
		if e.Name != "env" && e.Name != "file" {
			return false
		}
		return len(e.Args) == 1 || len(e.Args) == 2 && isNull(e.Args[1])
	}
	return false
}

func isNull(expression hclsyntax.Expression) bool {
	literal, ok := expression.(*hclsyntax.LiteralValueExpr)
	return ok && literal.Val.IsNull()
}

// mask gives the text as it may be shown: what stands where a secret belongs is blanked out,
// whether or not its name is spelt well. Lengths stay, so that places do.
func (l *loader) mask(body *hclsyntax.Body, text []byte, broken bool) []byte {
	shown := slices.Clone(text)
	if body != nil {
		plain := l.plainNames()
		for _, block := range body.Blocks {
			if _, known := labels(block.Type); block.Type == "source" || block.Type == "sink" || !known {
				maskBody(block.Body, plain, shown)
			}
			if block.Type == "snapshot" {
				maskSnapshot(block.Body, plain, shown)
			}
		}
	}
	if broken {
		maskLines(shown)
	}
	return shown
}

// plainNames lists the attributes of sources, sinks and sign blocks that are no secrets.
func (l *loader) plainNames() map[string]bool {
	plain := map[string]bool{}
	for name := range strings.FieldsSeq("share budget window per_second pacing from to time_zone path bucket prefix region endpoint encryption kms_key_id mode days endorsements") {
		plain[name] = true
	}
	for _, d := range l.options.Definitions {
		config := reflect.TypeOf(d.Config()).Elem()
		for i := range config.NumField() {
			name, _, _ := strings.Cut(config.Field(i).Tag.Get("hcl"), ",")
			if !isSecret(config.Field(i)) {
				plain[name] = true
			}
		}
	}
	return plain
}

// maskSnapshot blanks out what may be a key of pseudonyms, in a column or out of place.
func maskSnapshot(body *hclsyntax.Body, plain map[string]bool, shown []byte) {
	for name, attribute := range body.Attributes {
		if strings.Contains(name, "key") && !secretSource(attribute.Expr) {
			blank(shown, attribute.Expr.Range())
		}
	}
	plain = maps.Clone(plain)
	for name := range strings.FieldsSeq("drop table emptied new_roles ownerless action") {
		plain[name] = true
	}
	for _, block := range body.Blocks {
		if block.Type != "check" && block.Type != "acknowledge" {
			maskBody(block.Body, plain, shown)
		}
	}
}

func maskBody(body *hclsyntax.Body, plain map[string]bool, shown []byte) {
	for name, attribute := range body.Attributes {
		at := attribute.Expr.Range()
		address := bytes.ContainsRune(at.SliceBytes(shown), '@') // it may hold a password
		if (!plain[name] || address) && !secretSource(attribute.Expr) {
			blank(shown, at)
		}
	}
	for _, block := range body.Blocks {
		maskBody(block.Body, plain, shown)
	}
}

// blank overwrites a range, line breaks excepted.
func blank(shown []byte, at hcl.Range) {
	blankBytes(shown[min(at.Start.Byte, len(shown)):min(max(at.Start.Byte, at.End.Byte), len(shown))])
}

func blankBytes(part []byte) {
	for i, b := range part {
		if b != '\n' && b != '\r' {
			part[i] = '*'
		}
	}
}

// maskLines blanks out, in a text that can't be parsed, whatever is assigned to something that is
// called a secret, key, token or password, to the end of the line, or of the file where it may go
// on in later lines.
func maskLines(shown []byte) {
	assignment := regexp.MustCompile(`(?i)[\w-]*(?:secret|key|token|passw|sig)[\w-]*["']?[ \t]*[=:]?[ \t]*`)
	called := regexp.MustCompile(`^(?:env|file)\("[^"\n]*"\)[ \t\r}]*(?:(?:#|//)[^\n]*)?$`)
	for at := 0; at < len(shown); {
		found := assignment.FindIndex(shown[at:])
		if found == nil {
			return
		}
		begin := at + found[1]
		end := begin
		for end < len(shown) && shown[end] != '\n' {
			end++
		}
		value := shown[begin:end]
		switch {
		case strings.HasPrefix(string(value), "<<"):
			blankBytes(shown[begin:])
			return
		case !called.Match(value):
			blankBytes(value)
		}
		at = max(end, at+1)
	}
}
