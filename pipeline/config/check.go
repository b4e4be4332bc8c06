package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"rollcall/pipeline/job"
	"rollcall/schema"
)

// readChecks reads what is looked at before a snapshot is sealed.
func (s *section) readChecks() {
	for _, block := range s.named("check", "Give one of them another name.") {
		if check, ok := s.loader.readCheck(block); ok {
			s.job.Checks = append(s.job.Checks, check)
		}
	}
	slices.SortFunc(s.job.Checks, func(a, b job.Check) int { return cmp.Compare(a.Name, b.Name) })
}

// readCheck reads one check. It asks for one thing: the attribute that says so is its kind.
func (l *loader) readCheck(block *hclsyntax.Block) (job.Check, bool) {
	before := len(l.diags)
	s := l.section(block)
	check := job.Check{Name: block.Labels[0]}
	check.Table = s.table()
	given := len(l.diags) > before
	s.readCondition(&check)
	if check.Kind == job.Drop && check.Table == "" && !given {
		s.missing("table", `Give the table whose rows are counted, as in: table = "memberships"`)
	}
	if action, ok := s.text("action"); ok {
		if action != "fail" && action != "warn" {
			s.fault(s.where("action"), fmt.Sprintf("There is no action %q", action), didYouMean(action, "actions", []string{"fail", "warn"}))
		}
		check.Warn = action == "warn"
	}
	s.end()
	return check, len(l.diags) == before
}

// conditions are the attributes of which a check has one, each with an example.
func conditions() []string {
	return []string{`drop = "5%"`, `emptied = true`, `new_roles = true`, `ownerless = "1%"`}
}

func (s *section) readCondition(check *job.Check) {
	var given []string
	for _, example := range conditions() {
		name, _, _ := strings.Cut(example, " ")
		if s.block.Body.Attributes[name] != nil {
			given = append(given, name)
		}
		s.attributes = append(s.attributes, name)
	}
	if len(given) != 1 {
		problem := fmt.Sprintf("check %q asks for nothing", check.Name)
		if len(given) > 1 {
			problem = fmt.Sprintf("check %q asks for %s", check.Name, strings.Join(given, " and "))
		}
		s.fault(s.block.DefRange(), problem, "Give it one of: "+strings.Join(conditions(), ", ")+".")
		return
	}
	check.Kind = job.CheckKind(given[0])
	switch check.Kind {
	case job.Drop:
		check.Limit = s.needLimit("drop", "rows", `"5%"`)
	case job.Ownerless:
		check.Limit = s.needLimit("ownerless", "groups", `"1%"`)
	default:
		s.mustBeTrue(given[0])
	}
	if table := s.block.Body.Attributes["table"]; table != nil && check.Kind != job.Drop && check.Kind != job.Emptied {
		s.fault(table.NameRange, fmt.Sprintf("%s looks at no table", check.Kind), "Leave table out: it goes with drop and emptied.")
	}
}

// needLimit reads a limit that may not be null.
func (s *section) needLimit(name, counted, example string) job.Tolerance {
	before := len(s.diags)
	limit, ok := s.limit(name, counted)
	if !ok && len(s.diags) == before {
		s.missing(name, fmt.Sprintf("Give it, as in: %s = %s", name, example))
	}
	return limit
}

// mustBeTrue reads a condition that is there or not.
func (s *section) mustBeTrue(name string) {
	before := len(s.diags)
	if !s.flag(name) && len(s.diags) == before {
		s.fault(s.where(name), fmt.Sprintf("%s can only be true", name), fmt.Sprintf("Remove the whole %s where it is not wanted.", s.block.Type))
	}
}

// table reads the name of one of the seven tables.
func (s *section) table() string {
	name, ok := s.text("table")
	if !ok {
		return ""
	}
	var names []string
	for _, t := range schema.Tables() {
		names = append(names, t.Name)
	}
	if !slices.Contains(names, name) {
		s.fault(s.where("table"), fmt.Sprintf("There is no table %q", name), didYouMean(name, "tables", names))
	}
	return name
}
