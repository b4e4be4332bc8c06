package report

import (
	"context"
	"errors"
	"slices"
	"time"

	"rollcall/pipeline/snapshot"
	"rollcall/schema"
	"rollcall/schema/fault"
	"rollcall/sinks/manifest"
)

// night is one sealed snapshot as its manifest tells it. What a manifest does not tell is nil.
type night struct {
	Date     string
	Code     int
	Late     bool // the vendors were asked after the date was over
	Unread   bool // its manifest can't be read: there are no figures
	Rows     map[string]int64
	Asked    *int64 // keys
	Missing  *int64 // of these, failed or denied
	Differs  *int64 // groups and users with another count than the vendor declares
	Joined   *int64
	Left     *int64
	Changed  *int64
	Judged   *int64 // groups whose owner can be told
	Orphans  *int64 // of these, without one
	Empty    *int64 // groups without a member
	Roles    map[string]int64
	Requests *int64
	Took     time.Duration // from the first request to the last answer
}

// history is what the manifests of the last snapshots up to s tell, in the order of dates; s is the last.
func history(ctx context.Context, s *snapshot.Snapshot) ([]night, error) {
	dates, err := snapshot.Dates(ctx, s.Sink)
	if err != nil {
		return nil, err
	}
	at, _ := slices.BinarySearch(dates, s.Date)
	var nights []night
	for _, date := range dates[max(0, at-(Nights-1)):at] {
		earlier, err := snapshot.Open(ctx, s.Sink, date)
		_, gone := errors.AsType[*snapshot.MissingError](err)
		switch kind := fault.KindOf(err); {
		case err == nil:
			nights = append(nights, nightOf(earlier.Manifest))
		case gone: // pruned just now
		case ctx.Err() == nil && (kind == fault.Bug || kind == fault.Configuration):
			nights = append(nights, night{Date: date, Unread: true})
		default:
			return nil, err
		}
	}
	return append(nights, nightOf(s.Manifest)), nil
}

func nightOf(m manifest.Manifest) night {
	n := night{Date: m.Date, Late: m.AskedLate(), Code: m.ExitCode, Rows: map[string]int64{}, Roles: m.RoleCounts}
	for _, f := range m.Files {
		n.Rows[f.Table] += f.Rows
	}
	if len(m.Outcomes) > 0 {
		n.Asked, n.Missing = new(int64), new(int64)
		for _, outcomes := range m.Outcomes {
			for outcome, keys := range outcomes {
				*n.Asked += keys
				if schema.Outcome(outcome).Missing() {
					*n.Missing += keys
				}
			}
		}
	}
	if len(m.Verdicts.Groups)+len(m.Verdicts.Users) > 0 {
		n.Differs = some(differing(m.Verdicts.Groups) + differing(m.Verdicts.Users))
	}
	if m.ChangesBase != nil && len(m.Changes) > 0 {
		n.Joined, n.Left, n.Changed = some(m.Changes["joined"]), some(m.Changes["left"]), some(m.Changes["role_changed"])
	}
	n.Empty = m.Ownership.Empty
	if m.Ownership.Judged > 0 {
		n.Judged, n.Orphans = some(m.Ownership.Judged), some(m.Ownership.Ownerless)
	}
	if len(m.Requests) > 0 {
		n.Requests = new(int64)
		for _, endpoints := range m.Requests {
			for _, f := range endpoints {
				*n.Requests += f.Requests
			}
		}
	}
	if from, until := m.AskedFrom.Time(), m.AskedUntil.Time(); !from.IsZero() {
		n.Took = until.Sub(from)
	}
	return n
}

func some(n int64) *int64 { return &n }

// differing counts those whose verdict says that the vendor's total and its list disagree.
func differing(verdicts map[string]int64) (sum int64) {
	for word, n := range verdicts {
		if schema.Verdict(word).Disagrees() {
			sum += n
		}
	}
	return sum
}

// missingDates are those between the nights that have no snapshot.
func missingDates(nights []night) []string {
	var dates, said []string
	for _, n := range nights {
		dates = append(dates, n.Date)
	}
	for _, m := range snapshot.Missing(dates, "", time.Time{}) {
		said = append(said, capital(m.String())+".")
	}
	return said
}

// rows is how many rows a table has; nil where that is not known.
func (n night) rows(table string) *int64 {
	if n.Unread {
		return nil
	}
	return some(n.Rows[table])
}

// role is how many memberships have a role; nil where that was not counted.
func (n night) role(r string) *int64 {
	if len(n.Roles) == 0 {
		return nil
	}
	return some(n.Roles[r])
}
