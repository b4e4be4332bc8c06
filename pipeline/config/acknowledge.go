package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"rollcall/pipeline/job"
	"rollcall/schema"
	"rollcall/sinks"
)

// readAcknowledged reads which disagreements with a vendor's totals are known.
func (s *section) readAcknowledged() {
	for _, block := range s.blocks("acknowledge", "verdict") {
		if a, ok := s.loader.readAcknowledgement(block); ok {
			s.job.Acknowledged = append(s.job.Acknowledged, a)
		}
	}
}

func (l *loader) readAcknowledgement(block *hclsyntax.Block) (job.Acknowledgement, bool) {
	before := len(l.diags)
	s := l.section(block)
	a := job.Acknowledgement{Verdict: schema.Verdict(block.Labels[0])}
	if !a.Verdict.Disagrees() {
		var verdicts []string
		for _, v := range schema.Verdicts() {
			if schema.Verdict(v.Word).Disagrees() {
				verdicts = append(verdicts, v.Word)
			}
		}
		s.fault(block.LabelRanges[0], fmt.Sprintf("%q cannot be acknowledged", a.Verdict), didYouMean(string(a.Verdict), "verdicts that can", verdicts))
	}
	a.Source = s.acknowledgedSource()
	s.acknowledgedIDs(&a)
	if until, ok := s.needText("until", `"2027-03-01"`); ok && !sinks.IsDate(until) {
		s.fault(s.where("until"), fmt.Sprintf("until %q is no date", until), "Give the last snapshot date for which it holds, as in \"2027-03-01\".")
	} else {
		a.Until = until
	}
	if reason, ok := s.needText("reason", `"ticket 123: the vendor counts a deleted account"`); ok {
		if a.Reason = strings.TrimSpace(reason); a.Reason == "" {
			s.missing("reason", "Say why this disagreement is known, for those who read the report.")
		}
	}
	s.end()
	return a, len(l.diags) == before
}

// acknowledgedSource reads whose groups or users are meant; where there is one source only, it need not be said.
func (s *section) acknowledgedSource() string {
	all := s.of("source")
	attribute := s.get("source")
	switch {
	case attribute == nil && len(all) == 1:
		return strings.TrimPrefix(all[0], "source.")
	case attribute == nil:
		s.missing("source", "Give it, as in: source = source.TYPE.NAME. "+thereAre("sources", all))
		return ""
	}
	parts, ok := s.reference(attribute.Expr, "source.TYPE.NAME")
	if !ok {
		return ""
	}
	address := strings.Join(parts, ".")
	if !slices.Contains(all, address) {
		s.fault(attribute.Expr.Range(), fmt.Sprintf("There is no %s", address), didYouMean(address, "sources", all))
	}
	return strings.TrimPrefix(address, "source.")
}

// acknowledgedIDs reads groups or users, of which one must be given.
func (s *section) acknowledgedIDs(a *job.Acknowledgement) {
	groups, users := s.get("groups"), s.get("users")
	if (groups == nil) == (users == nil) {
		problem := "acknowledge names neither groups nor users"
		if groups != nil {
			problem = "acknowledge names groups and users"
		}
		s.fault(s.block.DefRange(), problem, `Give one of them, as in: groups = ["g17"]. For the other use a second block.`)
		return
	}
	name, into := "groups", &a.Groups
	if users != nil {
		name, into = "users", &a.Users
	}
	before := len(s.diags)
	ids, ok := s.texts(name)
	if !ok && len(s.diags) > before {
		return
	}
	if len(ids) == 0 {
		s.fault(s.where(name), fmt.Sprintf("%s is empty", name), "Name at least one, or remove the whole acknowledge.")
	}
	for _, id := range ids {
		if id == "" || id != strings.TrimSpace(id) {
			s.fault(s.where(name), fmt.Sprintf("%q is no ID", id), "IDs are compared byte for byte: no blanks at their ends.")
		} else if !slices.Contains(*into, id) {
			*into = append(*into, id)
		}
	}
}
