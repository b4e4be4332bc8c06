package manifest

import (
	"fmt"
	"slices"

	"rollcall/schema"
	"rollcall/sinks"
)

// believable holds those words and figures of a manifest that readers take as they stand against the
// closed lists that they come from: an exit code that a run hands on, counts, outcomes, verdicts, and
// where files and other manifests lie. Whether they are true is for verify to find.
func believable(m Manifest) error {
	if m.ExitCode != 0 && m.ExitCode != 3 {
		return fmt.Errorf("exit code %d is none of a sealed snapshot, which has 0 or 3", m.ExitCode)
	}
	if m.Backdated && !Precedes(m.Date, m.AskedFrom) {
		return fmt.Errorf("it says that it is backdated, and was asked before its date was over")
	}
	for _, link := range []*Link{m.Previous, m.Replaces} {
		if link != nil && !sinks.IsManifest(link.Path) && !sinks.IsReplaced(link.Path) {
			return fmt.Errorf("link %q leads to no manifest", link.Path)
		}
	}
	isPart := sinks.Parts(m.Date)
	for _, f := range m.Files {
		if !isPart(f.Path) {
			return fmt.Errorf("file %q is none of this date", f.Path)
		}
	}
	if m.ChangesBase != nil && !sinks.IsDate(*m.ChangesBase) {
		return fmt.Errorf("its changes are against %.40q, which is no date", *m.ChangesBase)
	}
	if m.ChangesBaseSum != nil && !isSum(*m.ChangesBaseSum) {
		return fmt.Errorf("the base of its changes has no SHA-256")
	}
	if err := knownWords(m); err != nil {
		return err
	}
	if err := checkAcknowledged(m); err != nil {
		return err
	}
	return noneNegative(m)
}

// knownWords refuses words that no list of ours has.
func knownWords(m Manifest) error {
	outcomes, verdicts := words(schema.Outcomes()), words(schema.Verdicts())
	counts := map[string]map[string]int64{"verdict": m.Verdicts.Groups, "verdict of users": m.Verdicts.Users, "change": m.Changes, "role": m.RoleCounts}
	known := map[string][]string{"verdict": verdicts, "verdict of users": verdicts, "change": {"joined", "left", "role_changed"}, "role": {"owner", "admin", "member", "unknown"}}
	for data, of := range m.Outcomes {
		counts["outcome of "+data], known["outcome of "+data] = of, outcomes
	}
	for what, of := range counts {
		for word := range of {
			if !slices.Contains(known[what], word) {
				return fmt.Errorf("the %s %.40q is not known", what, word)
			}
		}
	}
	for name, data := range m.Data {
		if !slices.Contains([]string{"user", "group", "role"}, data.View) {
			return fmt.Errorf("the view %.40q of %q is not known", data.View, name)
		}
	}
	for name, column := range m.Columns {
		if column.Treatment != Dropped && column.Treatment != Pseudonym {
			return fmt.Errorf("the treatment %.40q of the column %q is not known", column.Treatment, name)
		}
	}
	for _, c := range m.Checks {
		if !slices.Contains([]string{"pass", "warn", "accepted"}, c.Result) {
			return fmt.Errorf("the check %q has the result %.40q, with which nothing is sealed", c.Name, c.Result)
		}
	}
	return nil
}

func words(terms []schema.Term) (list []string) {
	for _, t := range terms {
		list = append(list, t.Word)
	}
	return list
}

// noneNegative refuses counts below zero.
func noneNegative(m Manifest) error {
	empty := int64(0)
	if m.Ownership.Empty != nil {
		empty = *m.Ownership.Empty
	}
	for what, n := range map[string]int64{
		"replaced_texts": m.ReplacedTexts, "discrepancies": m.Discrepancies, "changes_uncertain": m.ChangesUncertain,
		"judged": m.Ownership.Judged, "ownerless": m.Ownership.Ownerless, "empty": empty,
	} {
		if n < 0 {
			return fmt.Errorf("%s is below zero", what)
		}
	}
	if m.Uncovered != nil && *m.Uncovered < 0 {
		return fmt.Errorf("uncovered is below zero")
	}
	counts := []map[string]int64{m.Verdicts.Groups, m.Verdicts.Users, m.Changes, m.RoleCounts}
	for _, of := range []map[string]map[string]int64{m.Outcomes, m.Roles} {
		for _, each := range of {
			counts = append(counts, each)
		}
	}
	for _, of := range counts {
		for word, n := range of {
			if n < 0 {
				return fmt.Errorf("the count of %.40q is below zero", word)
			}
		}
	}
	for source, endpoints := range m.Requests {
		for name, f := range endpoints {
			if !f.believable() {
				return fmt.Errorf("the requests to %s %s have figures below zero", source, name)
			}
		}
	}
	return nil
}

// believable tells whether no count is below zero. Times may be: a clock can be set back while a run is at work.
func (f Figures) believable() bool {
	least := min(f.Requests, f.Retries, f.Throttles, f.Failures)
	for _, l := range f.Latencies {
		least = min(least, l.Answers)
	}
	if s := f.Series; s != nil {
		for _, list := range [][]int64{s.Sent, s.Throttled, s.Failed} {
			for _, n := range list {
				least = min(least, n)
			}
		}
	}
	return least >= 0
}
