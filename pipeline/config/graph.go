package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"rollcall/pipeline/job"
	"rollcall/schema"
	"rollcall/schema/advice"
	"rollcall/schema/spelling"
	"rollcall/sources"
)

// edge is one reference of a data block to another.
type edge struct {
	to string // address without kind
	at hcl.Range
}

// exports lists what other data blocks can take from the answers of one.
func exports(kind sources.Data) []string {
	switch kind.View {
	case schema.UserView:
		return []string{"groups", "memberships"}
	case schema.GroupView:
		return []string{"users", "memberships"}
	}
	return nil
}

func noData(path string) *hcl.Diagnostic {
	return &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  fmt.Sprintf("%s has no data block", path),
		Detail:   "Without one there is nothing to ask. {} writes an example.",
		Extra:    []advice.Command{advice.Rollcall("init").With("config", "example.hcl")},
	}
}

// reference splits a reference into its parts: source.rongcloud.prod.
func (s *section) reference(expression hclsyntax.Expression, form string) ([]string, bool) {
	traversal, faults := hcl.AbsTraversalForExpr(expression)
	hint := fmt.Sprintf("Write it without quotes, as in: %s", form)
	if faults.HasErrors() {
		s.fault(expression.Range(), "This is no reference", hint)
		return nil, false
	}
	parts := []string{traversal.RootName()}
	for _, step := range traversal[1:] {
		name, ok := step.(hcl.TraverseAttr)
		if !ok {
			s.fault(expression.Range(), "This is no reference", hint)
			return nil, false
		}
		parts = append(parts, name.Name)
	}
	return parts, true
}

// sourceReference reads source.TYPE.NAME and gives the address without its kind.
func (s *section) sourceReference(expression hclsyntax.Expression, definition sources.Definition) string {
	parts, ok := s.reference(expression, "source."+definition.Type+".NAME")
	if !ok {
		return ""
	}
	address := strings.Join(parts, ".")
	block, found := s.loader.blocks[address]
	switch {
	case !found || block.Type != "source":
		s.fault(expression.Range(), fmt.Sprintf("There is no %s", address), didYouMean(address, "sources", s.of("source")))
		return ""
	case parts[1] != definition.Type:
		s.fault(expression.Range(), fmt.Sprintf("%s is of another vendor", address), fmt.Sprintf("%s asks sources of type %q.", s.block.Labels[0], definition.Type))
		return ""
	}
	return strings.Join(parts[1:], ".")
}

// readInput reads an attribute that is a reference or a list of references.
func (s *section) readInput(d *dataBlock, name string) job.Input {
	var in job.Input
	attribute := s.get(name)
	if attribute == nil {
		return in
	}
	expressions := []hclsyntax.Expression{attribute.Expr}
	if tuple, ok := attribute.Expr.(*hclsyntax.TupleConsExpr); ok {
		expressions = tuple.Exprs
		if len(expressions) == 0 {
			s.fault(attribute.Expr.Range(), fmt.Sprintf("%s is empty", name), "Name at least one list or data block.")
		}
	}
	for _, expression := range expressions {
		s.readReference(d, name, expression, &in)
	}
	return in
}

// readReference reads ids.NAME or data.TYPE.NAME.EXPORT.
func (s *section) readReference(d *dataBlock, name string, expression hclsyntax.Expression, in *job.Input) {
	form := fmt.Sprintf("data.TYPE.NAME.%s", name)
	if name != "memberships" {
		form = "ids.NAME or " + form
	}
	parts, ok := s.reference(expression, form)
	if !ok {
		return
	}
	written := strings.Join(parts, ".")
	switch {
	case parts[0] == "ids" && len(parts) == 2:
		s.listReference(name, written, expression.Range(), in)
	case parts[0] == "data" && len(parts) >= 3:
		s.dataReference(d, name, parts, expression.Range(), in)
	default:
		detail := fmt.Sprintf("Give %s.", form)
		if near := spelling.Nearest(parts[0], []string{"ids", "data"}); near != "" && near != parts[0] {
			detail = fmt.Sprintf("Did you mean %q? %s", near, detail)
		}
		s.fault(expression.Range(), fmt.Sprintf("%s refers to nothing that has %s", written, name), detail)
	}
}

func (s *section) listReference(name, address string, at hcl.Range, in *job.Input) {
	if name == "memberships" {
		s.fault(at, "A list holds no memberships", "Give memberships of another data block, as in data.TYPE.NAME.memberships, or groups with users.")
		return
	}
	if _, found := s.loader.blocks[address]; !found {
		s.fault(at, fmt.Sprintf("There is no %s", address), didYouMean(address, "lists", s.of("ids")))
		return
	}
	list := strings.TrimPrefix(address, "ids.")
	s.used[list] = true
	if !slices.Contains(in.Lists, list) {
		in.Lists = append(in.Lists, list)
		slices.Sort(in.Lists)
	}
}

func (s *section) dataReference(d *dataBlock, name string, parts []string, at hcl.Range, in *job.Input) {
	address := strings.Join(parts[:3], ".")
	block, found := s.loader.blocks[address]
	if !found {
		s.fault(at, fmt.Sprintf("There is no %s", address), didYouMean(address, "data blocks", s.of("data")))
		return
	}
	_, kind, known := s.dataType(block.Labels[0])
	if !known {
		return // told where the block stands
	}
	given := exports(kind)
	fitting := fmt.Sprintf("%s gives nothing that others can take.", address)
	if len(given) > 0 {
		fitting = fmt.Sprintf("%s gives %s.", address, strings.Join(given, " and "))
	}
	switch {
	case len(parts) == 3:
		s.fault(at, fmt.Sprintf("Say what of %s", address), fmt.Sprintf("Add .%s. %s", name, fitting))
		return
	case len(parts) > 4 || !slices.Contains(given, parts[3]):
		if near := spelling.Nearest(parts[3], given); near != "" && near != parts[3] {
			fitting = fmt.Sprintf("Did you mean %q? %s", near, fitting)
		}
		s.fault(at, fmt.Sprintf("%s has no %s", address, strings.Join(parts[3:], ".")), fitting)
		return
	case parts[3] != name:
		s.fault(at, fmt.Sprintf("%s are no %s", parts[3], name), fmt.Sprintf("Give %s here. %s", name, fitting))
		return
	}
	from := strings.Join(parts[1:3], ".")
	d.edges = append(d.edges, edge{to: from, at: at})
	if !slices.Contains(in.From, from) {
		in.From = append(in.From, from)
		slices.Sort(in.From)
	}
}

// checkGraph checks that references stay within one account and go round in no circle.
func (l *loader) checkGraph() {
	done := map[string]bool{}
	for _, address := range l.of("data") {
		d := l.data[strings.TrimPrefix(address, "data.")]
		if d == nil {
			continue
		}
		for _, e := range d.edges {
			to := l.data[e.to]
			if to != nil && to.Source != "" && d.Source != "" && to.Source != d.Source {
				l.fault(e.at, fmt.Sprintf("data.%s asks another account", e.to),
					fmt.Sprintf("It asks source.%s, and this block source.%s. The IDs of one account mean nothing to another; let both ask the same source.", to.Source, d.Source))
			}
		}
		l.findCycle([]edge{{to: d.Address}}, done)
	}
}

// findCycle walks along references and tells of the circles it meets. Trail is the way here; its
// last step leads to the block that is looked at.
func (l *loader) findCycle(trail []edge, done map[string]bool) {
	address := trail[len(trail)-1].to
	d := l.data[address]
	if d == nil || done[address] {
		return
	}
	for _, e := range d.edges {
		begin := slices.IndexFunc(trail, func(step edge) bool { return step.to == e.to })
		if begin >= 0 {
			l.cycle(append(slices.Clone(trail[begin+1:]), e))
			continue
		}
		l.findCycle(append(slices.Clip(trail), e), done)
	}
	done[address] = true
}

// cycle tells of one circle, each step with its place.
func (l *loader) cycle(steps []edge) {
	var way strings.Builder
	for i, e := range steps {
		from := steps[(i+len(steps)-1)%len(steps)].to
		fmt.Fprintf(&way, "\n  data.%s takes from data.%s at %s", from, e.to, l.place(e.at))
	}
	l.fault(steps[len(steps)-1].at, "Data blocks wait for each other in a circle", "None of them could ever begin. Take one of these references out:"+way.String())
}
