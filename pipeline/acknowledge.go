package pipeline

import (
	"cmp"
	"fmt"
	"strings"

	"rollcall/pipeline/event"
	"rollcall/pipeline/job"
	"rollcall/pipeline/merge"
	"rollcall/pipeline/pseudonym"
	"rollcall/schema"
	"rollcall/sinks/manifest"
)

// acknowledgements are those of the configuration, with what the tables say of the groups and users in them.
// IDs are as they are written, be it as pseudonyms.
type acknowledgements struct {
	list []job.Acknowledgement
	rows map[subject]*figures
}

// subject is a group or a user of a source.
type subject struct {
	source, id string
	user       bool
}

// figures are what its row says; without a verdict there is no row.
type figures struct {
	verdict   schema.Verdict
	declared  *int64
	collected int64
}

func newAcknowledgements(list []job.Acknowledgement, veil *pseudonym.Veil) *acknowledgements {
	a := &acknowledgements{rows: map[subject]*figures{}}
	for _, one := range list {
		one.Groups, one.Users = written(one.Groups, veil.Group), written(one.Users, veil.User)
		a.list = append(a.list, one)
		ids, users := one.IDs()
		for _, id := range ids {
			a.rows[subject{one.Source, id, users}] = &figures{}
		}
	}
	return a
}

func written(ids []string, as func(string) string) (all []string) {
	for _, id := range ids {
		all = append(all, as(id))
	}
	return all
}

func (a *acknowledgements) take(s subject, verdict string, declared *int64, collected int64) {
	row := a.rows[s]
	if row == nil {
		return
	}
	*row = figures{verdict: schema.Verdict(verdict), collected: collected}
	if declared != nil {
		row.declared = new(*declared)
	}
}

// groups is a writer of groups that takes note of those in question.
func (a *acknowledgements) groups(w merge.Writer[schema.Group]) merge.Writer[schema.Group] {
	return observedWriter[schema.Group]{w, func(g *schema.Group) {
		a.take(subject{g.Source, g.GroupID, false}, g.Verdict, g.DeclaredMembers, g.CollectedMembers)
	}}
}

// users is a writer of users that takes note of those in question.
func (a *acknowledgements) users(w merge.Writer[schema.User]) merge.Writer[schema.User] {
	return observedWriter[schema.User]{w, func(u *schema.User) {
		a.take(subject{u.Source, u.UserID, true}, u.Verdict, u.DeclaredGroups, u.CollectedGroups)
	}}
}

// observedWriter is a writer that shows each row to observe.
type observedWriter[Row any] struct {
	merge.Writer[Row]
	observe func(*Row)
}

// Write shows the rows and writes them.
func (w observedWriter[Row]) Write(rows []Row) error {
	for i := range rows {
		w.observe(&rows[i])
	}
	return w.Writer.Write(rows)
}

// acknowledged gives what is acknowledged on date, and notices about what is not, or needs not be.
func (a *acknowledgements) acknowledged(date string) (all []manifest.Acknowledged, notices []event.Notice) {
	covered := map[subject]bool{}
	for _, one := range a.list {
		if found, some := a.holding(one, date, covered); some {
			all = append(all, found)
		}
	}
	for _, one := range a.list {
		notices = append(notices, a.notices(one, covered)...)
	}
	return all, notices
}

// holding is what an acknowledgement covers on date, besides what others cover already.
func (a *acknowledgements) holding(one job.Acknowledgement, date string, covered map[subject]bool) (found manifest.Acknowledged, some bool) {
	found = manifest.Acknowledged{Verdict: string(one.Verdict), Source: one.Source, Until: one.Until, Reason: one.Reason}
	ids, users := one.IDs()
	for _, id := range ids {
		s := subject{one.Source, id, users}
		row := a.rows[s]
		if row.verdict != one.Verdict || one.Until < date || covered[s] {
			continue
		}
		covered[s], some = true, true
		if users {
			found.Users = append(found.Users, id)
		} else {
			found.Groups = append(found.Groups, id)
		}
		found.Declared, found.Collected = append(found.Declared, row.declared), append(found.Collected, row.collected)
	}
	return found, some
}

// notices says of an acknowledgement where it has expired, does not fit, or is not needed any more.
func (a *acknowledgements) notices(one job.Acknowledgement, covered map[subject]bool) (all []event.Notice) {
	byVerdict := map[schema.Verdict][]string{}
	ids, users := one.IDs()
	for _, id := range ids {
		if s := (subject{one.Source, id, users}); !covered[s] {
			verdict := cmp.Or(a.rows[s].verdict, schema.NotAsked)
			byVerdict[verdict] = append(byVerdict[verdict], id)
		}
	}
	for _, term := range schema.Verdicts() {
		verdict := schema.Verdict(term.Word)
		if ids := byVerdict[verdict]; len(ids) > 0 {
			all = append(all, noticeOf(one, verdict, named(ids, users), len(ids) == 1))
		}
	}
	return all
}

func noticeOf(one job.Acknowledgement, verdict schema.Verdict, who string, single bool) event.Notice {
	is, counts, it := "are", "count", "them"
	if single {
		is, counts, it = "is", "counts", "it"
	}
	of := who + " of " + one.Source
	acknowledged := fmt.Sprintf("%s %s acknowledged as %s", of, is, one.Verdict)
	switch {
	case verdict == one.Verdict:
		return event.Notice{Warning: true,
			Text: fmt.Sprintf("the acknowledgement of %s as %s has expired: it held until %s (%s), and now %s %s", of, one.Verdict, one.Until, one.Reason, who, counts),
			Hint: "ask the vendor again; if it is as it was, give a later date as until"}
	case verdict.Disagrees():
		return event.Notice{Warning: true, Text: fmt.Sprintf("%s, and %s %s, which counts", acknowledged, is, verdict),
			Hint: fmt.Sprintf("if that is known, too, acknowledge it as %s", verdict)}
	case verdict == schema.NotAsked:
		return event.Notice{Text: fmt.Sprintf("%s, and nobody asked about %s", acknowledged, it), Hint: "check the ID, or take it out of the configuration"}
	case verdict == schema.Exact:
		return event.Notice{Text: fmt.Sprintf("%s, and %s exact: that is no longer needed", acknowledged, is), Hint: "take it out of the configuration"}
	default:
		return event.Notice{Text: fmt.Sprintf("%s, and %s %s", acknowledged, is, verdict)}
	}
}

// named is "group g1", or "groups g1, g2, g3 and 12 more".
func named(ids []string, users bool) string {
	const most = 5
	noun := "group"
	if users {
		noun = "user"
	}
	if len(ids) == 1 {
		return noun + " " + ids[0]
	}
	if more := len(ids) - most; more > 0 {
		return fmt.Sprintf("%ss %s and %d more", noun, strings.Join(ids[:most], ", "), more)
	}
	return noun + "s " + strings.Join(ids, ", ")
}

// acknowledge writes into m what of its disagreements is known, and the exit code that follows.
func (r *run) acknowledge(m *manifest.Manifest) {
	var notices []event.Notice
	m.Acknowledged, notices = r.acknowledged.acknowledged(r.date)
	for _, notice := range notices {
		r.Listen(notice)
	}
	m.ExitCode = m.Code()
}
