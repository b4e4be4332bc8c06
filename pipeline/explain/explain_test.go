package explain_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"rollcall/pipeline/explain"
	"rollcall/schema"
	"rollcall/sinks"
	"rollcall/sinks/local"
	"rollcall/sinks/sinktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// history is a sink of nights that knows one user of group g, and one who sits elsewhere. Each night
// says what it has of the pair (g, u): a role, "null" for a membership without one, "-" where the
// group's whole list denies it, "?" where the group has no row while the user's list was read whole,
// and "" where nobody was asked about either.
func history(t *testing.T, nights ...string) sinks.Sink {
	t.Helper()
	sink, err := local.Open(local.Config{Path: t.TempDir(), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	yes := true
	for i, night := range nights {
		tables := sinktest.Tables{Sources: []schema.SourceFigures{{Source: "one", Type: "vendor"}}}
		switch night {
		case "-":
			tables.Groups = []schema.Group{{Source: "one", GroupID: "g", Verdict: "exact"}}
		case "?":
			tables.Users = []schema.User{{Source: "one", UserID: "u", Verdict: "exact"}}
		case "":
		default:
			row := schema.Membership{Source: "one", GroupID: "g", UserID: "u", Role: &night, InGroupView: &yes}
			if night == "null" {
				row.Role = nil
			}
			tables.Memberships = []schema.Membership{row}
			tables.Groups = []schema.Group{{Source: "one", GroupID: "g", CollectedMembers: 1, Verdict: "exact"}}
			tables.Users = []schema.User{{Source: "one", UserID: "u", CollectedGroups: 1, Verdict: "exact"}}
		}
		sinktest.Seal(t, sink, date(i), tables)
	}
	return sink
}

func date(night int) string { return fmt.Sprintf("2026-11-%02d", night+1) }

// told is what the history of the pair says of each night: its state, its role and its event.
func told(t *testing.T, sink sinks.Sink) (nights []string) {
	t.Helper()
	answer, err := explain.Ask(t.Context(), sink, explain.Question{Group: "g", User: "u", Names: 10})
	if err != nil || len(answer.Subjects) != 1 {
		t.Fatalf("%+v, %v", answer, err)
	}
	for _, n := range answer.Subjects[0].History {
		nights = append(nights, fmt.Sprintf("%s %s %s|%s", n.Date, n.State, n.Role, n.Event))
	}
	return nights
}

func TestARoleThatIsNotKnownHasNotChanged(t *testing.T) {
	t.Parallel()
	got := told(t, history(t, "member", "null", "admin", "owner"))
	want := []string{"2026-11-01 member member|", "2026-11-02 member |", "2026-11-03 member admin|", "2026-11-04 member owner|role changed"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestANightThatKnowsNothingStandsInTheHistory(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ nights, want []string }{
		{[]string{"-", "", "member"}, []string{"2026-11-01 not_member |", "2026-11-02 cant_tell |", "2026-11-03 member member|joined after 2026-11-01"}},
		{[]string{"", "member", ""}, []string{"2026-11-02 member member|", "2026-11-03 cant_tell |"}},
		{[]string{"?", "member"}, []string{"2026-11-01 not_member |", "2026-11-02 member member|joined"}},
	} {
		if got := told(t, history(t, c.nights...)); !slices.Equal(got, c.want) {
			t.Errorf("%q: got %q, want %q", c.nights, got, c.want)
		}
	}
}

func TestAGroupIsSaidToHaveNoOwnerByTheOneDefinition(t *testing.T) {
	t.Parallel()
	for night, want := range map[string]schema.Ownership{"member": schema.Ownerless, "null": schema.OwnershipUnknown, "-": schema.EmptyGroup} {
		answer, err := explain.Ask(t.Context(), history(t, night), explain.Question{Group: "g", Names: 10})
		if err != nil || len(answer.Subjects) != 1 || answer.Subjects[0].Ownership != want {
			t.Errorf("%s: %+v, %v; want %s", night, answer, err, want)
		}
	}
}
