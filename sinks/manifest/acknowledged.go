package manifest

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"rollcall/schema"
	"rollcall/sinks"
)

// Acknowledged are groups or users of one source whose count is not the one that the vendor declares, and who
// don't count against the exit code, since the configuration says that this is known. Groups or Users name
// them; Declared and Collected have a figure for each of them.
type Acknowledged struct {
	Verdict   string   `json:"verdict"` // "short", "over" or "drifted"
	Source    string   `json:"source"`
	Groups    []string `json:"groups,omitempty"`
	Users     []string `json:"users,omitempty"`
	Declared  []*int64 `json:"declared"`
	Collected []int64  `json:"collected"`
	Until     string   `json:"until"` // the last snapshot date for which it holds
	Reason    string   `json:"reason"`
}

// IDs are those of the groups or users, and which of the two they are.
func (a Acknowledged) IDs() (ids []string, users bool) {
	if len(a.Users) > 0 {
		return a.Users, true
	}
	return a.Groups, false
}

// AcknowledgementOf is what acknowledges a group, or a user; nil where nothing does.
func (m Manifest) AcknowledgementOf(source, id string, user bool) *Acknowledged {
	for i, a := range m.Acknowledged {
		ids, users := a.IDs()
		if a.Source != source || users != user {
			continue
		}
		if slices.Contains(ids, id) {
			return &m.Acknowledged[i]
		}
	}
	return nil
}

// Unacknowledged counts the groups and users whose count is not the one that the vendor declares and is not
// acknowledged, by verdict.
func (m Manifest) Unacknowledged() Verdicts {
	v := Verdicts{Groups: disagreements(m.Verdicts.Groups), Users: disagreements(m.Verdicts.Users)}
	for _, a := range m.Acknowledged {
		v.Groups[a.Verdict] -= int64(len(a.Groups))
		v.Users[a.Verdict] -= int64(len(a.Users))
	}
	return v
}

func disagreements(verdicts map[string]int64) map[string]int64 {
	counts := map[string]int64{}
	for verdict, n := range verdicts {
		if schema.Verdict(verdict).Disagrees() {
			counts[verdict] = n
		}
	}
	return counts
}

// Code is the exit code that follows from what m counts: 3 where keys are missing or counts disagree that are
// not acknowledged, else 0.
func (m Manifest) Code() int {
	for _, outcomes := range m.Outcomes {
		for outcome, keys := range outcomes {
			if keys > 0 && schema.Outcome(outcome).Missing() {
				return 3
			}
		}
	}
	left := m.Unacknowledged()
	for _, counts := range []map[string]int64{left.Groups, left.Users} {
		for _, n := range counts {
			if n > 0 {
				return 3
			}
		}
	}
	return 0
}

// checkAcknowledged refuses what acknowledges more than there is, the same twice, or without saying why and until when.
func checkAcknowledged(m Manifest) error {
	seen := map[string]bool{}
	for _, a := range m.Acknowledged {
		ids, users := a.IDs()
		switch {
		case !schema.Verdict(a.Verdict).Disagrees():
			return fmt.Errorf("the verdict %.40q can't be acknowledged", a.Verdict)
		case len(a.Groups) > 0 && len(a.Users) > 0 || len(ids) == 0:
			return fmt.Errorf("it acknowledges %q of groups and users, or of none", a.Verdict)
		case len(a.Declared) != len(ids) || len(a.Collected) != len(ids):
			return fmt.Errorf("what it acknowledges as %q has not a figure for each", a.Verdict)
		case !sinks.IsDate(a.Until) || a.Until < m.Date:
			return fmt.Errorf("it acknowledges %q until %.40q, which is no date or over", a.Verdict, a.Until)
		case strings.TrimSpace(a.Reason) == "":
			return fmt.Errorf("it acknowledges %q without a reason", a.Verdict)
		}
		for _, id := range ids {
			key := fmt.Sprintf("%v %q %q", users, a.Source, id)
			if seen[key] {
				return fmt.Errorf("it acknowledges %.80q twice", id)
			}
			seen[key] = true
		}
	}
	left := m.Unacknowledged()
	for noun, counts := range map[string]map[string]int64{"groups": left.Groups, "users": left.Users} {
		for verdict, n := range counts {
			if n < 0 {
				return fmt.Errorf("it acknowledges more %s as %q than it counts", noun, verdict)
			}
		}
	}
	if m.ExitCode == 0 && m.Code() != 0 && len(m.Acknowledged) > 0 {
		return errors.New("its exit code is 0, and what it acknowledges does not account for all that disagrees or is missing")
	}
	return nil
}

// CountAcknowledged is how many groups and users have a disagreement that is acknowledged.
func CountAcknowledged(list []Acknowledged) (n int) {
	for _, a := range list {
		ids, _ := a.IDs()
		n += len(ids)
	}
	return n
}
