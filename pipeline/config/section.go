package config

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"

	"rollcall/schema/spelling"
)

// section is one block while it is read. It remembers what was asked for, so that the rest can be
// called unexpected.
type section struct {
	*loader
	block      *hclsyntax.Block
	attributes []string
	inner      []string
	told       []string // attributes and blocks that are out of place, and were told so already
	forgiving  bool     // an unset variable leaves the attribute unread, and is no fault
}

func (l *loader) section(block *hclsyntax.Block) *section { return &section{loader: l, block: block} }

// get finds an attribute; nil where it is not given.
func (s *section) get(name string) *hclsyntax.Attribute {
	s.attributes = append(s.attributes, name)
	return s.block.Body.Attributes[name]
}

// blocks finds the inner blocks of one type that have the labels they need.
func (s *section) blocks(kind string, labels ...string) []*hclsyntax.Block {
	s.inner = append(s.inner, kind)
	var found []*hclsyntax.Block
	for _, block := range s.block.Body.Blocks {
		if block.Type == kind && s.checkLabels(block, labels) {
			found = append(found, block)
		}
	}
	return found
}

// named lists the blocks of a kind, each name once: what to do about a double is its own.
func (s *section) named(kind, double string) []*hclsyntax.Block {
	first := map[string]hcl.Range{}
	var once []*hclsyntax.Block
	for _, block := range s.blocks(kind, "name") {
		name := block.Labels[0]
		if at, there := first[name]; there {
			s.fault(block.DefRange(), fmt.Sprintf("The %s %q is there twice", kind, name), fmt.Sprintf("It was first given at %s. %s", s.place(at), double))
			continue
		}
		first[name] = block.DefRange()
		once = append(once, block)
	}
	return once
}

// where is what stands for the attribute in messages: its value, or the block that lacks it.
func (s *section) where(name string) hcl.Range {
	if attribute, ok := s.block.Body.Attributes[name]; ok {
		return attribute.Expr.Range()
	}
	return s.block.DefRange()
}

// origin is an attribute as a message about its value names it, with the variable or file that the value comes from.
func (s *section) origin(name string) string {
	if attribute, ok := s.block.Body.Attributes[name]; ok {
		if from := called(attribute.Expr); from != "" {
			return fmt.Sprintf("%s, which comes from %s,", name, from)
		}
	}
	return name
}

// missing tells that an attribute must be given.
func (s *section) missing(name, detail string) {
	s.fault(s.where(name), fmt.Sprintf("%s is missing", name), detail)
}

// end tells what was not expected.
func (s *section) end() {
	body := s.block.Body
	for name, attribute := range body.Attributes {
		if slices.Contains(s.attributes, name) || slices.Contains(s.told, name) {
			continue
		}
		if slices.Contains(s.inner, name) {
			s.fault(attribute.NameRange, fmt.Sprintf("%s is a block, not an attribute", name), fmt.Sprintf("Write it as: %s { … }", name))
			continue
		}
		s.fault(attribute.NameRange, fmt.Sprintf("Unexpected attribute %q", name), didYouMean(name, "attributes", s.attributes))
	}
	for _, block := range body.Blocks {
		if slices.Contains(s.inner, block.Type) || slices.Contains(s.told, block.Type) {
			continue
		}
		if slices.Contains(s.attributes, block.Type) {
			s.fault(block.TypeRange, fmt.Sprintf("%s is an attribute, not a block", block.Type), fmt.Sprintf("Write it as: %s = …", block.Type))
			continue
		}
		s.fault(block.TypeRange, fmt.Sprintf("Unexpected block %q", block.Type), didYouMean(block.Type, "blocks here", s.inner))
	}
}

// value evaluates an attribute as want. It is not ok where the attribute is not given, is null or
// faulty; faults are told.
func (s *section) value(name string, want cty.Type) (v cty.Value, ok bool) {
	attribute := s.get(name)
	if attribute == nil {
		return cty.NilVal, false
	}
	functions := s.functions
	if s.forgiving {
		functions = map[string]function.Function{"env": s.env(true), "file": s.file(true)}
	}
	v, faults := attribute.Expr.Value(&hcl.EvalContext{Functions: functions})
	if faults.HasErrors() {
		s.diags = append(s.diags, explain(faults)...)
		return cty.NilVal, false
	}
	converted, err := convert.Convert(v, want)
	if err != nil {
		flaw := ""
		if v.Type() == cty.String && v.IsKnown() && !v.IsNull() {
			flaw = spelling.Unprintable(v.AsString())
		}
		if flaw != "" {
			flaw = "; it " + flaw
		}
		s.fault(attribute.Expr.Range(), fmt.Sprintf("%s has the wrong type: %s%s", s.origin(name), err, flaw), fmt.Sprintf("Give %s.", kindOf(want)))
		return cty.NilVal, false
	}
	return converted, converted.IsWhollyKnown() && !converted.IsNull()
}

func kindOf(t cty.Type) string {
	switch {
	case t == cty.String:
		return `a text in quotes, or env("NAME")`
	case t == cty.Number:
		return "a number"
	case t == cty.Bool:
		return "true or false"
	case t.IsListType():
		return `a list of texts: ["a", "b"]`
	}
	return "a value of that type"
}

// explain puts the faults of our own functions in our own words.
func explain(faults hcl.Diagnostics) hcl.Diagnostics {
	for _, d := range faults {
		extra, ok := hcl.DiagnosticExtra[hclsyntax.FunctionCallDiagExtra](d)
		if !ok {
			if d.Summary == "Variables not allowed" {
				d.Summary, d.Detail = "A value is needed here, not a reference", `Give a text in quotes, or env("NAME"). References go to source, users, groups and memberships of data blocks.`
			}
			continue
		}
		if d.Summary == "Call to unknown function" {
			d.Summary = fmt.Sprintf("There is no function %s()", extra.CalledFunctionName())
			d.Detail = didYouMean(extra.CalledFunctionName(), "functions", []string{"env", "file"})
		}
		if cause, ok := errors.AsType[*callFault](extra.FunctionCallError()); ok {
			d.Summary, d.Detail = cause.summary, cause.detail
			if d.Context != nil {
				d.Subject = d.Context
			}
		}
	}
	return faults
}

// text reads an attribute that is a text.
func (s *section) text(name string) (string, bool) {
	v, ok := s.value(name, cty.String)
	if !ok {
		return "", false
	}
	return v.AsString(), true
}

// needText reads a text that must be given and not be empty. Example shows one.
func (s *section) needText(name, example string) (string, bool) {
	before := len(s.diags)
	v, ok := s.text(name)
	if len(s.diags) > before {
		return "", false
	}
	if !ok || v == "" {
		s.missing(name, fmt.Sprintf("Give it, as in: %s = %s", name, example))
		return "", false
	}
	return v, true
}

// number reads an attribute that is a number.
func (s *section) number(name string) (float64, bool) {
	v, ok := s.value(name, cty.Number)
	if !ok {
		return 0, false
	}
	f, _ := v.AsBigFloat().Float64()
	return f, true
}

// share reads an attribute above 0 and at most 1.
func (s *section) share(name string) (float64, bool) {
	f, ok := s.number(name)
	if ok && (f <= 0 || f > 1) {
		s.fault(s.where(name), fmt.Sprintf("%s must be above 0 and at most 1", name), "Give the part of the budget that Rollcall may use, as in 0.8.")
		return 0, false
	}
	return f, ok
}

// texts reads an attribute that is a list of texts.
func (s *section) texts(name string) ([]string, bool) {
	v, ok := s.value(name, cty.List(cty.String))
	if !ok {
		return nil, false
	}
	all := make([]string, 0, v.LengthInt())
	for _, one := range v.AsValueSlice() {
		if one.IsNull() {
			s.fault(s.where(name), fmt.Sprintf("%s holds null", name), "Take it out of the list.")
			return nil, false
		}
		all = append(all, one.AsString())
	}
	return all, true
}

// flag reads an attribute that is true or false.
func (s *section) flag(name string) bool {
	v, ok := s.value(name, cty.Bool)
	return ok && v.True()
}
