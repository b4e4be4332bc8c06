// Package explain gathers everything that sealed snapshots know about one group, one user, or one
// user in one group: the rows of one night, which views said what, what became of the questions,
// and the history over all nights.
//
// Only files and row groups that may hold the IDs are read. A night whose reading was not whole
// denies nothing: it stands in the history as one of which nothing can be told, with the reason.
// What no snapshot knows gives *UnknownError. Other errors are the sink's.
package explain

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"rollcall/pipeline/snapshot"
	"rollcall/schema"
	"rollcall/sinks"
	"rollcall/sinks/parquet"
)

// Question says about what. Group, User or both are given.
type Question struct {
	Source, Group, User string // Source may be empty: all of them
	Date                string // whose rows are told; empty: the latest
	Since               string // history from this date on; empty: all of it
	Names               int    // how many members, groups and changes are named

	// Groups tells whether the keys of a data block are groups; nil: both are looked for.
	Groups func(data string) (groups, known bool)
	// Blind tells whether users' own lists may leave a group out although they are read whole; may be nil.
	Blind  func(source, group string, known bool) bool
	Listen func(date string) // told which night is being read; may be nil

	// ID gives an ID as it stands in a column of a snapshot, which may have pseudonyms; an error where
	// that can't be told. Nil: as it is.
	ID func(s *snapshot.Snapshot, column, id string) (string, error)
}

// UnknownError says that no snapshot knows the subject.
type UnknownError struct {
	Subject, Place string
	Nights         int
}

// Error names what was looked for, and where.
func (e *UnknownError) Error() string {
	return fmt.Sprintf("none of %d snapshots in %s knows %s", e.Nights, e.Place, e.Subject)
}

// Answer is what is known, by source.
type Answer struct {
	Date     string    `json:"date"`
	Place    string    `json:"place"`
	Group    string    `json:"group_id,omitempty"`
	User     string    `json:"user_id,omitempty"`
	Subjects []Subject `json:"subjects"`
	Notes    []string  `json:"notes,omitempty"` // nights of the history that were left out, and why
}

// Subject is the group, user or pair in one source.
type Subject struct {
	Source        string           `json:"source"`
	Now           Night            `json:"now"` // the night that was asked for; of no moment where it is not known then
	Outcomes      []Outcome        `json:"outcomes"`
	Discrepancies []Discrepancy    `json:"discrepancies"`
	Members       []Member         `json:"memberships"` // the first of them; of a pair, the one
	Total         int64            `json:"total_memberships"`
	Ownership     schema.Ownership `json:"ownership,omitempty"` // of a group, without a user
	History       []Night          `json:"history"`             // ascending dates
}

// State is what one night says of a pair.
type State string

// The states.
const (
	IsMember  State = "member"
	NotMember State = "not_member"
	CantTell  State = "cant_tell"
)

// Night is what one snapshot knows.
type Night struct {
	Date    string    `json:"date"`
	Late    bool      `json:"backdated,omitempty"` // the vendors were asked after the date was over in UTC
	Group   *Standing `json:"group,omitempty"`     // nil: no row
	User    *Standing `json:"user,omitempty"`
	State   State     `json:"state,omitempty"` // of a pair
	Why     string    `json:"why,omitempty"`   // where it is not plain
	Role    string    `json:"role,omitempty"`
	Event   string    `json:"event,omitempty"` // of a pair: what happened since the last night that tells
	Changes []Change  `json:"changes,omitempty"`
	More    int64     `json:"more_changes,omitempty"`
}

// Standing is the row of a group or a user.
type Standing struct {
	Name      *string `json:"name,omitempty"`
	Type      *string `json:"type,omitempty"`
	Verdict   string  `json:"verdict"`
	Declared  *int64  `json:"declared"`
	Collected int64   `json:"collected"`
	Owners    int64   `json:"owners,omitempty"`
	Admins    int64   `json:"admins,omitempty"`

	Acknowledged *Acknowledged `json:"acknowledged,omitempty"` // the verdict is, by the configuration of that night
}

// Acknowledged says why and until when a disagreement is known.
type Acknowledged struct {
	Until  string `json:"until"`
	Reason string `json:"reason"`
}

// Outcome is what became of one question.
type Outcome struct {
	Data       string  `json:"data"`
	Key        string  `json:"key"`
	Outcome    string  `json:"outcome"`
	Rows       int64   `json:"rows"`
	Declared   *int64  `json:"declared"`
	Requests   int64   `json:"requests"`
	Attempts   int64   `json:"attempts"`
	Code       *string `json:"vendor_code"`
	Message    *string `json:"message"`
	AskedAt    int64   `json:"asked_at_micros"` // since 1970 UTC
	AnsweredAt int64   `json:"answered_at_micros"`
}

// Discrepancy is one contradiction.
type Discrepancy struct {
	GroupID   string  `json:"group_id"`
	UserID    string  `json:"user_id"`
	Kind      string  `json:"kind"`
	UserView  *string `json:"user_view"`
	GroupView *string `json:"group_view"`
	RoleView  *string `json:"role_view"`
}

// Member is one membership.
type Member struct {
	GroupID     string  `json:"group_id"`
	UserID      string  `json:"user_id"`
	Role        *string `json:"role"`
	RoleRaw     *string `json:"role_raw"`
	Nickname    *string `json:"nickname"`
	JoinedAt    *int64  `json:"joined_at_micros"`
	InUserView  *bool   `json:"in_user_view"`
	InGroupView *bool   `json:"in_group_view"`
	InRoleView  *bool   `json:"in_role_view"`
	Disputed    bool    `json:"disputed"`
}

// Change is one row of the table changes.
type Change struct {
	GroupID    string  `json:"group_id"`
	UserID     string  `json:"user_id"`
	Change     string  `json:"change"`
	RoleBefore *string `json:"role_before"`
	RoleAfter  *string `json:"role_after"`
	Certain    bool    `json:"certain"`
}

// Ask answers one question.
func Ask(ctx context.Context, sink sinks.Sink, q Question) (Answer, error) {
	s, err := snapshot.Open(ctx, sink, q.Date)
	if err != nil {
		return Answer{}, err
	}
	dates, err := snapshot.Dates(ctx, sink)
	if err != nil {
		return Answer{}, err
	}
	a := &asker{Question: q, asked: q, late: map[string]bool{}, subjects: map[string]*Subject{}, users: map[string]map[string]*Standing{}}
	for _, date := range dates {
		if date < q.Since && date != s.Date {
			continue
		}
		if q.Listen != nil {
			q.Listen(date)
		}
		night := s
		if date != s.Date {
			night, err = snapshot.Open(ctx, sink, date)
			if errors.Is(err, sinks.ErrArchived) {
				a.notes = append(a.notes, "the snapshot of "+date+" is archived and was not read")
				continue
			}
			if err != nil {
				return Answer{}, err
			}
		}
		if err := a.look(night); err != nil && date == s.Date {
			return Answer{}, err
		} else if err != nil {
			a.notes = append(a.notes, err.Error())
			continue
		}
		err := a.night(ctx, night)
		if errors.Is(err, sinks.ErrArchived) && date != s.Date {
			a.notes = append(a.notes, "files of the snapshot of "+date+" are archived, and not all of it was read")
			continue
		}
		if err != nil {
			return Answer{}, err
		}
		a.dates = append(a.dates, date)
		a.late[date] = night.AskedLate()
	}
	if err := a.look(s); err != nil {
		return Answer{}, err
	}
	if len(a.subjects) == 0 {
		return Answer{}, &UnknownError{Subject: q.subject(), Place: sink.String(), Nights: len(a.dates)}
	}
	if err := a.details(ctx, s); err != nil {
		return Answer{}, err
	}
	return a.answer(s), nil
}

func (q Question) subject() string {
	var parts []string
	for _, part := range []struct{ noun, id string }{{"user", q.User}, {"group", q.Group}, {"source", q.Source}} {
		if part.id != "" {
			parts = append(parts, fmt.Sprintf("%s %q", part.noun, part.id))
		}
	}
	return strings.Join(parts, " in ")
}

// asker is one question being answered.
type asker struct {
	Question          // with the IDs as they stand in the night at hand
	asked    Question // as it was asked
	notes    []string
	dates    []string                        // of the nights that were read, ascending
	late     map[string]bool                 // of these, those that are backdated
	subjects map[string]*Subject             // by source
	users    map[string]map[string]*Standing // of a pair: the user's rows, by source and date
}

// look turns to the IDs as they stand in s.
func (a *asker) look(s *snapshot.Snapshot) (err error) {
	if a.ID == nil {
		return nil
	}
	for _, id := range []struct {
		column, asked string
		is            *string
	}{{"group_id", a.asked.Group, &a.Group}, {"user_id", a.asked.User, &a.User}} {
		if id.asked == "" {
			continue
		}
		if *id.is, err = a.ID(s, id.column, id.asked); err != nil {
			return err
		}
	}
	return nil
}

// where are the conditions on a table that has these columns.
func (q Question) where(group, user string) (conditions []parquet.Equal) {
	for _, c := range []parquet.Equal{{Column: "source", Value: q.Source}, {Column: group, Value: q.Group}, {Column: user, Value: q.User}} {
		if c.Column != "" && c.Value != "" {
			conditions = append(conditions, c)
		}
	}
	return conditions
}

func (a *asker) subject(source string) *Subject {
	s := a.subjects[source]
	if s == nil {
		s = &Subject{Source: source}
		a.subjects[source] = s
	}
	return s
}

// of is the night of a source, which is made where it is not there.
func (a *asker) of(source, date string) *Night {
	s := a.subject(source)
	if last := len(s.History) - 1; last >= 0 && s.History[last].Date == date {
		return &s.History[last]
	}
	s.History = append(s.History, Night{Date: date})
	return &s.History[len(s.History)-1]
}

// each calls do with every row that is found.
func each[Row any](rows iter.Seq2[*Row, error], do func(*Row)) error {
	for row, err := range rows {
		if err != nil {
			return err
		}
		do(row)
	}
	return nil
}

// night takes what one snapshot says of the subject.
func (a *asker) night(ctx context.Context, s *snapshot.Snapshot) error {
	if a.Group != "" {
		err := each(snapshot.Find[schema.Group](ctx, s, a.where("group_id", "")...), func(g *schema.Group) {
			a.of(g.Source, s.Date).Group = &Standing{Name: g.Name, Type: g.Type, Verdict: g.Verdict, Declared: g.DeclaredMembers, Collected: g.CollectedMembers, Owners: g.Owners, Admins: g.Admins, Acknowledged: acknowledged(s, g.Source, g.GroupID, g.Verdict, false)}
		})
		if err != nil {
			return err
		}
	}
	if a.User != "" {
		err := each(snapshot.Find[schema.User](ctx, s, a.where("", "user_id")...), func(u *schema.User) {
			row := &Standing{Verdict: u.Verdict, Declared: u.DeclaredGroups, Collected: u.CollectedGroups, Acknowledged: acknowledged(s, u.Source, u.UserID, u.Verdict, true)}
			if a.Group == "" || a.Source != "" {
				a.of(u.Source, s.Date).User = row
				return
			}
			// Whether the source knows the group a later night may tell.
			if a.users[u.Source] == nil {
				a.users[u.Source] = map[string]*Standing{}
			}
			a.users[u.Source][s.Date] = row
		})
		if err != nil {
			return err
		}
	}
	if a.Group != "" && a.User != "" {
		err := each(snapshot.Find[schema.Membership](ctx, s, a.where("group_id", "user_id")...), func(m *schema.Membership) {
			n := a.of(m.Source, s.Date)
			n.State, n.Role = IsMember, m.RoleWord()
			if m.Disputed {
				n.Why = "views contradict each other"
			}
		})
		if err != nil {
			return err
		}
	}
	return each(snapshot.Find[schema.Change](ctx, s, a.where("group_id", "user_id")...), func(c *schema.Change) {
		n := a.of(c.Source, s.Date)
		if len(n.Changes) >= a.Names {
			n.More++
			return
		}
		n.Changes = append(n.Changes, Change{c.GroupID, c.UserID, c.Change, c.RoleBefore, c.RoleAfter, c.Certain})
	})
}

// details takes the rows of the night that was asked for.
func (a *asker) details(ctx context.Context, s *snapshot.Snapshot) error {
	known := func(source string) *Subject { return a.subjects[source] }
	unknown := map[string]int64{} // roles, by source
	err := each(snapshot.Find[schema.Membership](ctx, s, a.where("group_id", "user_id")...), func(m *schema.Membership) {
		of := a.subject(m.Source)
		if m.Role == nil && m.InGroupView != nil && *m.InGroupView {
			unknown[m.Source]++
		}
		if of.Total++; of.Total <= int64(max(a.Names, 1)) {
			of.Members = append(of.Members, Member{m.GroupID, m.UserID, m.Role, m.RoleRaw, m.Nickname, m.JoinedAt, m.InUserView, m.InGroupView, m.InRoleView, m.Disputed})
		}
	})
	if err != nil {
		return err
	}
	a.ownership(s.Date, unknown)
	err = each(snapshot.Find[schema.Discrepancy](ctx, s, a.where("group_id", "user_id")...), func(d *schema.Discrepancy) {
		of := a.subject(d.Source)
		of.Discrepancies = append(of.Discrepancies, Discrepancy{d.GroupID, d.UserID, d.Kind, d.UserView, d.GroupView, d.RoleView})
	})
	if err != nil {
		return err
	}
	for _, key := range []struct {
		id     string
		groups bool
	}{{a.Group, true}, {a.User, false}} {
		if key.id == "" {
			continue
		}
		where := []parquet.Equal{{Column: "key", Value: key.id}}
		err := each(snapshot.Find[schema.KeyOutcome](ctx, s, where...), func(o *schema.KeyOutcome) {
			of := known(o.Source)
			if groups, certain := a.groups(o.Data); of != nil && (!certain || groups == key.groups) {
				of.Outcomes = append(of.Outcomes, Outcome{o.Data, o.Key, o.Outcome, o.Rows, o.Declared, o.Requests, o.Attempts, o.VendorCode, o.Message, o.AskedAt, o.AnsweredAt})
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *asker) groups(data string) (groups, known bool) {
	if a.Groups == nil {
		return false, false
	}
	return a.Groups(data)
}

// answer puts everything in order.
func (a *asker) answer(s *snapshot.Snapshot) Answer {
	answer := Answer{Date: s.Date, Place: s.Sink.String(), Group: a.Group, User: a.User, Notes: a.notes}
	for _, subject := range a.subjects {
		a.complete(subject)
		if a.Group != "" && a.User != "" {
			a.judge(subject)
		}
		subject.Now = Night{Date: s.Date, Late: s.AskedLate()}
		if i := slices.IndexFunc(subject.History, func(n Night) bool { return n.Date == s.Date }); i >= 0 {
			subject.Now = subject.History[i]
		}
		answer.Subjects = append(answer.Subjects, *subject)
	}
	slices.SortFunc(answer.Subjects, func(x, y Subject) int { return strings.Compare(x.Source, y.Source) })
	return answer
}
