package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"rollcall/cmd/export/console"
	"rollcall/pipeline/explain"
	"rollcall/schema"
	"rollcall/schema/advice"
	"rollcall/sinks"
	"rollcall/sources/all"
)

const aboutExplain = `Tells everything that the snapshots know about one group, one user, or one user in one group: the rows of
one night (the latest, or --date), which views said what, what was asked and how it ended, what the
verdict means, contradictions, and the history over all sealed snapshots. Reads only the files and row
groups that may hold the IDs.

A night whose reading was not whole denies nothing: the history says then that it can't be told, and why.
--since leaves out older nights. Where a snapshot has pseudonyms, IDs are made such with the key that the
configuration names; without that key, and with --pseudonym, they are taken for pseudonyms as they are, and
nights in which they can't stand are left out.`

func (a *app) explainCommand() *cobra.Command {
	var q explain.Question
	var asIs bool
	cmd := &cobra.Command{
		Use:   "explain --group ID [--user ID]",
		Short: "tell everything the snapshots know about one group, user or membership",
		Long:  aboutExplain,
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case q.Group == "" && q.User == "":
				return misused("give --group ID, --user ID, or both", "it is not said what to explain")
			case q.Names < 0:
				return misused("give 0 or more", "--limit %d is below zero", q.Names)
			case q.Since != "" && !sinks.IsDate(q.Since):
				return misused("write it as 2026-11-21", "--since %q is no date", q.Since)
			}
			answer, err := a.explain(cmd.Context(), q, asIs)
			if err != nil {
				return err
			}
			if a.flags.json {
				return a.answer(answer)
			}
			showExplained(a.out.Printer(), answer)
			return nil
		},
	}
	set := cmd.Flags()
	set.StringVar(&q.Group, "group", "", "the vendor's `ID` of a group")
	set.StringVar(&q.User, "user", "", "the vendor's `ID` of a user")
	set.StringVar(&q.Source, "source", "", "look in this `SOURCE` only, such as rongcloud.prod")
	set.StringVar(&q.Since, "since", "", "tell the history from `DATE` on")
	set.IntVar(&q.Names, "limit", 20, "name `N` memberships, and as many changes a night")
	set.BoolVar(&asIs, "pseudonym", false, "the IDs are pseudonyms, as they stand in the snapshot")
	return cmd
}

func (a *app) explain(ctx context.Context, q explain.Question, asIs bool) (explain.Answer, error) {
	l, err := a.look(ctx)
	if err != nil {
		return explain.Answer{}, err
	}
	l.asIs = asIs
	q.ID = l.id
	key := keyOf(all.Definitions())
	q.Date, q.Blind = a.flags.date, blindUsers(all.Definitions())
	q.Groups = func(data string) (bool, bool) {
		k, known := key(data)
		return k.Groups, known
	}
	told := a.listener()
	defer told.close()
	q.Listen = func(date string) { told.tell(func() string { return "reading " + date }) }
	answer, err := explain.Ask(ctx, l.sink, q)
	if unknown, ok := errors.AsType[*explain.UnknownError](err); ok {
		return answer, misusedSo(advice.Say("IDs are compared byte for byte: check spelling and case; {} lists what is sealed"+l.withoutKey(), advice.Rollcall("snapshots")), "%s", unknown.Error())
	}
	return answer, err
}

// showExplained tells a person all of an answer.
func showExplained(w console.Printer, a explain.Answer) {
	for _, note := range a.Notes {
		w.Printf("Left out of the history: %s\n", note)
	}
	for i, s := range a.Subjects {
		if i > 0 {
			w.Println()
		}
		w.Printf("%s of %s, in the snapshot of %s\n", title(a), s.Source, dated(a.Date, s.Now.Late))
		if a.Group != "" && a.User != "" {
			showPair(w, s)
		}
		showStanding(w, "group", "members", s.Now.Group, a.Group != "")
		showOwnership(w, s.Ownership)
		showStanding(w, "user", "groups", s.Now.User, a.User != "")
		showOutcomes(w, s.Outcomes)
		showDiscrepancies(w, s.Discrepancies)
		if a.Group == "" || a.User == "" {
			showMembers(w, s, a.Group == "")
		}
		showHistory(w, s, a)
	}
}

// dated is the date of a snapshot, and whether it was asked on it.
func dated(date string, late bool) string {
	if late {
		return date + " (backdated)"
	}
	return date
}

func title(a explain.Answer) string {
	switch {
	case a.User == "":
		return "Group " + a.Group
	case a.Group == "":
		return "User " + a.User
	default:
		return "User " + a.User + " in group " + a.Group
	}
}

// showPair tells whether the user is in the group, and which view says so.
func showPair(w console.Printer, s explain.Subject) {
	w.Printf("  %s\n", standsAs(s.Now))
	if len(s.Members) == 0 {
		return
	}
	m := s.Members[0]
	if m.RoleRaw != nil {
		w.Printf("  role in the vendor's word: %s\n", *m.RoleRaw)
	}
	if m.Nickname != nil && *m.Nickname != "" {
		w.Printf("  nickname: %s\n", *m.Nickname)
	}
	if m.JoinedAt != nil {
		w.Printf("  joined, as the vendor tells it: %s\n", moment(*m.JoinedAt))
	}
	for _, v := range []struct {
		view  string
		named *bool
	}{{"the user's own list", m.InUserView}, {"the group's own list", m.InGroupView}, {"the role query", m.InRoleView}} {
		said := "was not asked, or not read whole"
		if v.named != nil {
			said = map[bool]string{true: "names the membership", false: "was read whole and does not name it"}[*v.named]
		}
		w.Printf("  %s %s\n", v.view, said)
	}
}

// standsAs is what a night says of a pair.
func standsAs(n explain.Night) string {
	text := map[explain.State]string{explain.IsMember: "in the group", explain.NotMember: "not in the group", explain.CantTell: "can't be told", "": "nothing is known"}[n.State]
	if n.Role != "" {
		text += " as " + n.Role
	}
	if n.Why != "" {
		text += ": " + n.Why
	}
	return text
}

// meaningOf is what follows from a verdict, where there is something.
func meaningOf(verdict string) string {
	switch schema.Verdict(verdict) {
	case schema.Short, schema.Over, schema.Drifted:
		return "who is not named may be there all the same; the next night reads it anew, and a vendor's list that stays apart from its total is a question to the vendor"
	case schema.VerdictFailed:
		return "nothing is denied by this night; what was asked and how it ended stands below"
	case schema.VerdictUnsupported, schema.NotAsked:
		return "whom no other view names may be there all the same"
	default:
		return ""
	}
}

func showStanding(w console.Printer, noun, what string, s *explain.Standing, asked bool) {
	if !asked {
		return
	}
	if s == nil {
		w.Printf("  the %s is not in this snapshot: nobody asked about it, and no view names it\n", noun)
		return
	}
	if s.Name != nil {
		w.Printf("  name: %s\n", *s.Name)
	}
	if s.Type != nil {
		w.Printf("  type: %s\n", *s.Type)
	}
	w.Printf("  the %s is %s: %s\n", noun, s.Verdict, meaning(schema.Verdict(s.Verdict)))
	if a := s.Acknowledged; a != nil {
		w.Printf("    acknowledged until %s: %s\n", a.Until, a.Reason)
	} else if do := meaningOf(s.Verdict); do != "" {
		w.Printf("    %s\n", do)
	}
	w.Printf("  %s: %s declared, %s collected", what, number(s.Declared), humanize.Comma(s.Collected))
	if noun == "group" {
		w.Printf("; %s, %s", count(int(s.Owners), "owner"), count(int(s.Admins), "admin"))
	}
	w.Println()
}

// showOwnership says what is special about who owns a group.
func showOwnership(w console.Printer, o schema.Ownership) {
	if o == schema.Ownerless || o == schema.EmptyGroup {
		terms := schema.Ownerships()
		w.Printf("  the group is %s: %s\n", o, terms[slices.IndexFunc(terms, func(t schema.Term) bool { return t.Word == string(o) })].Meaning)
	}
}

func number(n *int64) string {
	if n == nil {
		return "none"
	}
	return humanize.Comma(*n)
}

func moment(micros int64) string { return time.UnixMicro(micros).UTC().Format(time.RFC3339) }

func showOutcomes(w console.Printer, list []explain.Outcome) {
	if len(list) == 0 {
		w.Printf("  nobody was asked about it by name\n")
	}
	for _, o := range list {
		w.Printf("  asked: %s of %s: %s, %s, %s, %s, from %s to %s\n", o.Data, o.Key, o.Outcome,
			count(int(o.Rows), "row"), count(int(o.Requests), "request"), count(int(o.Attempts), "reading"), moment(o.AskedAt), moment(o.AnsweredAt))
		if o.Code != nil || o.Message != nil {
			w.Printf("    the vendor's code %s: %s\n", dash(o.Code), dash(o.Message))
		}
	}
}

func showDiscrepancies(w console.Printer, list []explain.Discrepancy) {
	const most = 20
	for _, d := range list[:min(most, len(list))] {
		w.Printf("  contradiction %s: group %s, user %s; the user's list says %s, the group's %s, the role query %s\n", d.Kind, d.GroupID, d.UserID, dash(d.UserView), dash(d.GroupView), dash(d.RoleView))
	}
	if len(list) > most {
		w.Printf("  and %d more contradictions: see the table discrepancies\n", len(list)-most)
	}
}

func showMembers(w console.Printer, s explain.Subject, groups bool) {
	if s.Total == 0 {
		return
	}
	w.Printf("  %s", count(int(s.Total), "membership"))
	if more := s.Total - int64(len(s.Members)); more > 0 {
		w.Printf(", of which %d are shown (--limit)", len(s.Members))
	}
	w.Printf(":\n")
	for _, m := range s.Members {
		id := m.UserID
		if groups {
			id = m.GroupID
		}
		disputed := ""
		if m.Disputed {
			disputed = ", disputed"
		}
		w.Printf("    %s: %s%s\n", id, dash(m.Role), disputed)
	}
}

// showHistory tells the nights, oldest first.
func showHistory(w console.Printer, s explain.Subject, a explain.Answer) {
	w.Printf("History:\n")
	table, flush := w.Table()
	if a.Group != "" && a.User != "" {
		for _, n := range s.History {
			event := n.Event
			if event == "" {
				event = "-"
			}
			table.Printf("  %s\t%s\t%s\n", dated(n.Date, n.Late), event, standsAs(n))
		}
	} else {
		table.Printf("  DATE\tVERDICT\tDECLARED\tCOLLECTED\tCHANGES SINCE THE BASE\n")
		for _, n := range s.History {
			row := n.Group
			if a.Group == "" {
				row = n.User
			}
			if row == nil {
				row = &explain.Standing{Verdict: "-"}
			}
			table.Printf("  %s\t%s\t%s\t%s\t%s\n", dated(n.Date, n.Late), row.Verdict, number(row.Declared), humanize.Comma(row.Collected), changesOf(n, a.Group == ""))
		}
	}
	flush()
}

// changesOf is "u1 joined, u2 left (not certain)".
func changesOf(n explain.Night, groups bool) string {
	var parts []string
	for _, c := range n.Changes {
		id := c.UserID
		if groups {
			id = c.GroupID
		}
		text := id + " " + strings.ReplaceAll(c.Change, "_", " ")
		if c.Change == "role_changed" {
			text += " from " + dash(c.RoleBefore) + " to " + dash(c.RoleAfter)
		}
		if !c.Certain {
			text += " (not certain)"
		}
		parts = append(parts, text)
	}
	if n.More > 0 {
		parts = append(parts, fmt.Sprintf("and %s more", humanize.Comma(n.More)))
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}
