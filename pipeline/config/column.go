package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"rollcall/pipeline/job"
	"rollcall/schema"
	"rollcall/schema/spelling"
)

// minHMACKey is how many bytes the key of pseudonyms must have: it must not be guessed.
const minHMACKey = 16

// readColumns reads which columns are left out, and which IDs become pseudonyms.
func (s *section) readColumns() {
	for _, block := range s.named("column", "Keep one of them.") {
		if column, ok := s.loader.readColumn(block); ok {
			s.job.Columns = append(s.job.Columns, column)
		}
	}
	slices.SortFunc(s.job.Columns, func(a, b job.Column) int { return cmp.Compare(a.Name, b.Name) })
}

func (l *loader) readColumn(block *hclsyntax.Block) (job.Column, bool) {
	before := len(l.diags)
	s := l.section(block)
	column := job.Column{Name: block.Labels[0]}
	switch {
	case slices.Contains(schema.Details(), column.Name):
		s.readDrop(&column)
	case slices.Contains(schema.IDs(), column.Name):
		s.readPseudonym(&column)
	default:
		s.get("drop")
		s.get("hmac_key")
		s.untouchable(column.Name)
	}
	s.end()
	return column, len(l.diags) == before
}

// untouchable tells that a column stays as it is, or that there is none.
func (s *section) untouchable(name string) {
	all := append(schema.Details(), schema.IDs()...)
	for _, t := range schema.Tables() {
		if slices.ContainsFunc(t.Columns, func(c schema.Column) bool { return c.Name == name }) {
			hint := fmt.Sprintf("These can be left out: %s. These can become pseudonyms: %s.", strings.Join(schema.Details(), ", "), strings.Join(schema.IDs(), ", "))
			if name == "key" {
				hint = "The ledger's keys follow the columns user_id and group_id. " + hint
			}
			s.fault(s.block.LabelRanges[0], fmt.Sprintf("The column %q is written as it is", name), hint)
			return
		}
	}
	s.fault(s.block.LabelRanges[0], fmt.Sprintf("There is no column %q", name), didYouMean(name, "columns that can be left out or become pseudonyms", all))
}

// readDrop reads a column that is left out.
func (s *section) readDrop(column *job.Column) {
	if key := s.get("hmac_key"); key != nil {
		s.fault(key.NameRange, fmt.Sprintf("%s holds no IDs", column.Name), "Leave it out with drop = true; pseudonyms are for user_id and group_id.")
		return
	}
	if s.block.Body.Attributes["drop"] == nil {
		s.missing("drop", "Give it, as in: drop = true")
		return
	}
	s.mustBeTrue("drop")
	column.Drop = true
}

// readPseudonym reads a column of IDs and the key of its pseudonyms.
func (s *section) readPseudonym(column *job.Column) {
	if drop := s.get("drop"); drop != nil {
		s.fault(drop.NameRange, fmt.Sprintf("%s can't be left out", column.Name), `Rows are told apart by it. Make pseudonyms of it: hmac_key = env("HMAC_KEY")`)
		return
	}
	attribute := s.get("hmac_key")
	if attribute == nil {
		s.missing("hmac_key", `Give it, as in: hmac_key = env("HMAC_KEY")`)
		return
	}
	if !s.checkSecret(attribute) {
		return
	}
	column.From = called(attribute.Expr)
	if column.Name == "group_id" {
		column.Keep = s.groupPrefixes()
	}
	if !s.options.Secrets && !s.options.Keys {
		return
	}
	s.forgiving = !s.options.Secrets
	before := len(s.diags)
	key, ok := s.text("hmac_key")
	switch {
	case len(s.diags) > before:
	case !ok && s.options.Secrets:
		s.missing("hmac_key", "It is null. Pseudonyms need a key.")
	case ok && key == "":
		s.fault(attribute.Expr.Range(), "hmac_key is empty", "Make one with: openssl rand -hex 32")
	case ok && spelling.Unprintable(key) != "":
		s.fault(attribute.Expr.Range(), fmt.Sprintf("%s %s; it must be printable ASCII", s.origin("hmac_key"), spelling.Unprintable(key)), "Make one with: openssl rand -hex 32")
	case ok && len(key) < minHMACKey:
		s.fault(attribute.Expr.Range(), fmt.Sprintf("hmac_key is too short: it needs %d bytes or more", minHMACKey), "Short keys can be guessed. Make one with: openssl rand -hex 32")
	default:
		column.Key = schema.Secret(key)
	}
}

// groupPrefixes lists what IDs of groups begin with that vendors tell apart by it.
func (l *loader) groupPrefixes() (prefixes []string) {
	for _, d := range l.options.Definitions {
		for _, data := range d.Data {
			if data.TopicIDs != "" && !slices.Contains(prefixes, data.TopicIDs) {
				prefixes = append(prefixes, data.TopicIDs)
			}
		}
	}
	slices.Sort(prefixes)
	return prefixes
}

// called is a call of env or file as the configuration has it.
func called(expression hclsyntax.Expression) string {
	call, ok := expression.(*hclsyntax.FunctionCallExpr)
	if !ok || len(call.Args) == 0 {
		return ""
	}
	name, faults := call.Args[0].Value(nil)
	if faults.HasErrors() {
		return ""
	}
	return fmt.Sprintf("%s(%q)", call.Name, name.AsString())
}
