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

// readChecks reads what is looked at before a snapshot is sealed.
func (s *section) readChecks() {
	for _, block := range s.named("check", "Give one of them another name.") {
		if check, ok := s.loader.readCheck(block); ok {
			s.job.Checks = append(s.job.Checks, check)
		}
	}
}

// addBuiltIn adds the built-in checks that no block changes or replaces.
func (l *loader) addBuiltIn() {
	for _, check := range job.BuiltIn() {
		if !slices.ContainsFunc(l.job.Checks, func(c job.Check) bool { return c.Name == check.Name }) {
			l.job.Checks = append(l.job.Checks, check)
		}
	}
	slices.SortFunc(l.job.Checks, func(a, b job.Check) int { return cmp.Compare(a.Name, b.Name) })
}

// readCheck reads one check. It asks for one thing: the attribute that says so is its kind. One that has the
// name of a built-in check and asks for nothing else changes that; one that asks for something else replaces it.
func (l *loader) readCheck(block *hclsyntax.Block) (job.Check, bool) {
	before := len(l.diags)
	s := l.section(block)
	check := job.Check{Name: block.Labels[0]}
	check.Table = s.table()
	given := len(l.diags) > before
	if !s.changeBuiltIn(&check) {
		s.readCondition(&check)
		if check.Kind == job.Drop && check.Table == "" && !given {
			remedy := `Give the table whose rows are counted, as in: table = "memberships".` + nearBuiltIn(check.Name)
			if isBuiltIn(check.Name) {
				remedy = `Of this built-in check only action can be changed; to replace it, give the table whose rows are counted.`
			}
			s.missing("table", remedy)
		}
	}
	if action, ok := s.text("action"); ok {
		if actions := []string{"fail", "warn", "off"}; !slices.Contains(actions, action) {
			s.fault(s.where("action"), fmt.Sprintf("There is no action %q", action), didYouMean(action, "actions", actions))
		}
		check.Warn, check.Off = action == "warn", action == "off"
	}
	s.end()
	return check, len(l.diags) == before
}

// changeBuiltIn makes of check the built-in one of its name, with the limit that was written, which counts alone:
// nothing is left of the built-in limit. It is false where the block asks for something else.
func (s *section) changeBuiltIn(check *job.Check) bool {
	at := slices.IndexFunc(job.BuiltIn(), func(c job.Check) bool { return c.Name == check.Name })
	if at < 0 {
		return false
	}
	builtIn := job.BuiltIn()[at]
	conditions := s.conditionsGiven()
	table := s.block.Body.Attributes["table"]
	switch {
	case len(conditions) == 0 && table != nil && builtIn.Kind == job.Emptied:
		builtIn.Table = check.Table
	case len(conditions) == 0 && table != nil:
		s.fault(table.NameRange, fmt.Sprintf("check %q looks at no other table", check.Name), "Leave table out, or give drop, too.")
	case len(conditions) == 0:
	case slices.Equal(conditions, []string{"drop"}) && table == nil && builtIn.Kind.Limited():
		counted := "memberships"
		if builtIn.Kind == job.ListShrunk {
			counted = "IDs"
		}
		builtIn.Limit = s.needLimit("drop", counted, `"50%"`)
	default:
		return false
	}
	*check = builtIn
	return true
}

func isBuiltIn(name string) bool {
	return slices.ContainsFunc(job.BuiltIn(), func(c job.Check) bool { return c.Name == name })
}

// nearBuiltIn asks whether a built-in check was meant.
func nearBuiltIn(name string) string {
	var names []string
	for _, c := range job.BuiltIn() {
		names = append(names, c.Name)
	}
	if near := spelling.Nearest(name, names); near != "" && near != name {
		return fmt.Sprintf(" Or did you mean the built-in check %q?", near)
	}
	return ""
}

// conditions are the attributes of which a check has one, each with an example.
func conditions() []string {
	return []string{`drop = "5%"`, `emptied = true`, `new_roles = true`, `ownerless = "1%"`}
}

// conditionsGiven are the names of those that the block has.
func (s *section) conditionsGiven() (given []string) {
	for _, example := range conditions() {
		name, _, _ := strings.Cut(example, " ")
		if s.block.Body.Attributes[name] != nil {
			given = append(given, name)
		}
		if !slices.Contains(s.attributes, name) {
			s.attributes = append(s.attributes, name)
		}
	}
	return given
}

func (s *section) readCondition(check *job.Check) {
	given := s.conditionsGiven()
	if len(given) != 1 {
		problem := fmt.Sprintf("check %q asks for nothing", check.Name)
		if len(given) > 1 {
			problem = fmt.Sprintf("check %q asks for %s", check.Name, strings.Join(given, " and "))
		}
		s.fault(s.block.DefRange(), problem, "Give it one of: "+strings.Join(conditions(), ", ")+"."+nearBuiltIn(check.Name))
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
		remedy := fmt.Sprintf("Remove the whole %s where it is not wanted.", s.block.Type)
		if s.block.Type == "check" && isBuiltIn(s.block.Labels[0]) {
			remedy = `Write action = "off" in its place where the check is not wanted.`
		}
		s.fault(s.where(name), fmt.Sprintf("%s can only be true", name), remedy)
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
