package explain

import (
	"rollcall/pipeline/snapshot"
	"rollcall/schema"
)

// acknowledged says why and until when the verdict of a group or user is known; nil where it is not, or is another.
func acknowledged(s *snapshot.Snapshot, source, id, verdict string, user bool) *Acknowledged {
	if a := s.AcknowledgementOf(source, id, user); a != nil && a.Verdict == verdict {
		return &Acknowledged{Until: a.Until, Reason: a.Reason}
	}
	return nil
}

// ownership says whether the group has an owner on date; unknown counts roles by source.
func (a *asker) ownership(date string, unknown map[string]int64) {
	if a.Group == "" || a.User != "" {
		return
	}
	for source, of := range a.subjects {
		for _, n := range of.History {
			if g := n.Group; n.Date == date && g != nil {
				of.Ownership = schema.OwnershipOf(schema.Verdict(g.Verdict), g.Collected, unknown[source], g.Owners)
			}
		}
	}
}

// complete gives the history a night for each that was read since the first that knows the subject:
// one without a row says that, too.
func (a *asker) complete(s *Subject) {
	known := map[string]Night{}
	for _, n := range s.History {
		known[n.Date] = n
	}
	var whole []Night
	for _, date := range a.dates {
		n, there := known[date]
		if user := a.users[s.Source][date]; user != nil {
			n.User, there = user, true
		}
		n.Late = a.late[date]
		if n.Date = date; there || len(whole) > 0 {
			whole = append(whole, n)
		}
	}
	s.History = whole
}

// judge says of each night whether the user was in the group, and what happened since the last
// night that tells.
func (a *asker) judge(s *Subject) {
	var last *Night // the last that tells
	for i := range s.History {
		n := &s.History[i]
		if n.State == "" {
			n.State, n.Why = a.absent(s.Source, n)
		}
		if n.State == CantTell {
			continue
		}
		if last != nil {
			n.Event = event(last, n)
			if n.Event != "" && last != &s.History[i-1] {
				n.Event += " after " + last.Date
			}
		}
		last = n
	}
}

func event(before, now *Night) string {
	switch {
	case before.State != now.State && now.State == IsMember:
		return "joined"
	case before.State != now.State:
		return "left"
	case now.State == IsMember && before.Role != now.Role && before.Role != "" && now.Role != "":
		return "role changed" // where one of them is not known, nothing can be told
	default:
		return ""
	}
}

// absent says what it means that a night has no membership: only what was read whole denies it.
func (a *asker) absent(source string, n *Night) (State, string) {
	group, user := "", ""
	if n.Group != nil {
		group = n.Group.Verdict
	}
	if n.User != nil {
		user = n.User.Verdict
	}
	switch {
	case group == string(schema.Exact):
		return NotMember, "the group was read whole"
	case group == string(schema.VerdictGone):
		return NotMember, "the vendor says that the group does not exist"
	case user == string(schema.VerdictGone):
		return NotMember, "the vendor says that the user does not exist"
	case group != string(schema.VerdictUnsupported) && (user == string(schema.Exact) || user == string(schema.Unverifiable)) && (a.Blind == nil || !a.Blind(source, a.Group, n.Group != nil)):
		return NotMember, "the user's own list was read whole"
	default:
		return CantTell, "the group is " + named(group) + ", the user is " + named(user)
	}
}

func named(verdict string) string {
	if verdict == "" {
		return "not known"
	}
	return verdict
}
