package merge_test

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"rollcall/pipeline/merge"
	"rollcall/pipeline/spool"
	"rollcall/schema"
)

// reference says what a merge must give, the slow and plain way: everything in maps, every
// question answered by looking at everything.
type reference struct {
	*fake
	out snapshot
}

type place struct{ source, group, user string }

func expect(f *fake) snapshot {
	r := &reference{fake: f, out: snapshot{Summary: merge.Summary{
		Outcomes: map[string]map[schema.Outcome]int64{}, Groups: map[schema.Verdict]int64{}, Users: map[schema.Verdict]int64{}, Discrepancies: map[string]int64{}, Roles: map[string]map[string]int64{}, Held: map[schema.Role]int64{},
	}}}
	r.outcomes()
	r.memberships()
	r.groupTable()
	r.census()
	r.userTable()
	return r.out
}

// final is the record that decides a key and the sums over all of its records.
func (r *reference) final(block int, key string) (decided spool.Record, ok bool) {
	var all []spool.Record
	newest := 0
	for _, rec := range r.records {
		if rec.Block == block && rec.Key == key {
			all = append(all, rec)
			newest = max(newest, rec.Generation)
		}
	}
	if len(all) == 0 {
		return spool.Record{}, false
	}
	order := []schema.Outcome{schema.Failed, schema.Denied, schema.Unsupported, schema.Gone, schema.OK}
	var candidates []spool.Record
	for _, outcome := range order {
		for _, rec := range all {
			if rec.Generation == newest && rec.Outcome == outcome {
				candidates = append(candidates, rec)
			}
		}
		if len(candidates) > 0 {
			break
		}
	}
	decided = slices.MinFunc(candidates, func(a, b spool.Record) int {
		return cmp.Or(cmp.Compare(a.Code, b.Code), cmp.Compare(a.Message, b.Message))
	})
	decided.Rows, decided.Requests, decided.Attempts, decided.Replaced, decided.Cut = 0, 0, 0, 0, 0
	for _, rec := range all {
		decided.Requests += rec.Requests
		decided.Attempts += rec.Attempts
		if rec.Outcome == schema.OK {
			decided.Rows += rec.Rows
			decided.Replaced += rec.Replaced
			decided.Cut += rec.Cut
		}
		if rec.Generation == newest {
			decided.AskedAt = min(decided.AskedAt, rec.AskedAt)
			decided.AnsweredAt = max(decided.AnsweredAt, rec.AnsweredAt)
		}
	}
	return decided, true
}

func total(n int64) *int64 {
	if n < 0 {
		return nil
	}
	return &n
}

func word(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func (r *reference) outcomes() {
	sum := &r.out.Summary
	for i, b := range r.blocks {
		sum.Outcomes[b.Address] = map[schema.Outcome]int64{}
		keys := map[string]bool{}
		for _, rec := range r.records {
			if rec.Block == i {
				keys[rec.Key] = true
			}
		}
		for key := range keys {
			d, _ := r.final(i, key)
			r.out.Outcomes = append(r.out.Outcomes, schema.KeyOutcome{
				Source: b.Source, Data: b.Address, Key: key, Outcome: string(d.Outcome), Rows: d.Rows, Declared: total(d.Declared),
				Requests: d.Requests, Attempts: d.Attempts, VendorCode: word(d.Code), Message: word(d.Message), AskedAt: d.AskedAt, AnsweredAt: d.AnsweredAt,
			})
			sum.Outcomes[b.Address][d.Outcome]++
			sum.Asked++
			sum.Requests += d.Requests
			sum.Replaced += d.Replaced
			sum.Cut += d.Cut
			if d.Outcome == schema.Failed || d.Outcome == schema.Denied {
				sum.Missing++
			}
		}
	}
	slices.SortFunc(r.out.Outcomes, func(a, b schema.KeyOutcome) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Data, b.Data), cmp.Compare(a.Key, b.Key))
	})
}

// rowsOf gives what one view says of a pair, lowest block first, without answers that say nothing.
func (r *reference) rowsOf(p place, view schema.View, named bool) []spool.Row {
	var rows []spool.Row
	for _, row := range r.rows {
		b := r.blocks[row.Block]
		if b.Source != p.source || b.View != view || row.Group != p.group || row.User != p.user {
			continue
		}
		silent := view == schema.RoleView && !row.NotMember && row.Role == schema.NoRole && !row.RoleRaw.Valid
		if !silent && named == !row.NotMember {
			rows = append(rows, row)
		}
	}
	slices.SortFunc(rows, func(a, b spool.Row) int { return cmp.Compare(a.Block, b.Block) })
	return rows
}

// whole tells whether every kind of block of the view that was asked about this key of the source has one that read it whole.
func (r *reference) whole(source string, view schema.View, key string) bool {
	kinds := map[string]bool{}
	for i, b := range r.blocks {
		if b.Source != source || b.View != view {
			continue
		}
		d, ok := r.final(i, key)
		if !ok {
			continue
		}
		kind, _, _ := strings.Cut(b.Address, ".")
		kinds[kind] = kinds[kind] || d.Outcome == schema.OK && (d.Verdict == schema.Exact || d.Verdict == schema.Unverifiable && !b.Partial)
	}
	return len(kinds) > 0 && !slices.Contains(slices.Collect(maps.Values(kinds)), false)
}

// state is true, false or unknown, as the tables show it.
func (r *reference) state(p place, view schema.View) *bool {
	yes, no := true, false
	if len(r.rowsOf(p, view, true)) > 0 {
		return &yes
	}
	var denied bool
	switch view {
	case schema.UserView:
		denied = r.whole(p.source, view, p.user)
	case schema.GroupView:
		denied = r.whole(p.source, view, p.group)
	case schema.RoleView:
		denied = len(r.rowsOf(p, view, false)) > 0
	}
	if denied {
		return &no
	}
	return nil
}

func (r *reference) memberships() {
	all := map[place]bool{}
	for _, row := range r.rows {
		p := place{r.blocks[row.Block].Source, row.Group, row.User}
		for _, view := range []schema.View{schema.UserView, schema.GroupView, schema.RoleView} {
			if len(r.rowsOf(p, view, true)) > 0 {
				all[p] = true
			}
		}
	}
	ordered := slices.SortedFunc(maps.Keys(all), func(a, b place) int {
		return cmp.Or(cmp.Compare(a.source, b.source), cmp.Compare(a.group, b.group), cmp.Compare(a.user, b.user))
	})
	for _, p := range ordered {
		found := r.contradictions(p)
		for _, d := range found {
			r.out.Summary.Discrepancies[d.Kind]++
		}
		r.out.Discrepancies = append(r.out.Discrepancies, found...)
		r.out.Memberships = append(r.out.Memberships, r.membership(p, len(found) > 0))
		r.out.Summary.Memberships++
		if len(found) > 0 {
			r.out.Summary.Disputed++
		}
	}
}

func (r *reference) membership(p place, disputed bool) schema.Membership {
	m := schema.Membership{Source: p.source, GroupID: p.group, UserID: p.user, Disputed: disputed}
	m.InUserView, m.InGroupView, m.InRoleView = r.state(p, schema.UserView), r.state(p, schema.GroupView), r.state(p, schema.RoleView)
	group, user := r.rowsOf(p, schema.GroupView, true), r.rowsOf(p, schema.UserView, true)
	for _, rows := range [][]spool.Row{r.rowsOf(p, schema.RoleView, true), group, user} {
		known := slices.IndexFunc(rows, func(row spool.Row) bool { return row.Role != schema.NoRole })
		if known < 0 {
			known = slices.IndexFunc(rows, func(row spool.Row) bool { return row.RoleRaw.Valid })
		}
		if known < 0 {
			continue
		}
		m.Role = word(rows[known].Role.String())
		if raw := rows[known].RoleRaw; raw.Valid {
			m.RoleRaw = &raw.Value
		}
		break
	}
	for _, row := range slices.Backward(slices.Concat(group, user)) {
		if row.Nickname.Valid {
			m.Nickname = &row.Nickname.Value
		}
		if row.Extra.Valid {
			m.Extra = &row.Extra.Value
		}
		if row.Joined.Valid {
			m.JoinedAt = &row.Joined.Value
		}
	}
	return m
}

// rolesWhole tells whether every role block that was asked about the group got all its answers.
func (r *reference) rolesWhole(p place) bool {
	for i, b := range r.blocks {
		if d, ok := r.final(i, p.group); ok && b.Source == p.source && b.View == schema.RoleView && d.Outcome != schema.OK {
			return false
		}
	}
	return true
}

func (r *reference) contradictions(p place) []schema.Discrepancy {
	accuses := map[schema.View]bool{}
	said, roles := map[schema.View]*string{}, map[string]bool{}
	for _, view := range []schema.View{schema.UserView, schema.GroupView, schema.RoleView} {
		rows := r.rowsOf(p, view, true)
		var sure, any string
		for _, row := range slices.Backward(rows) {
			whole := row.Whole || view == schema.RoleView && r.rolesWhole(p)
			accuses[view] = accuses[view] || whole
			if row.Role != schema.NoRole {
				any = row.Role.String()
				if whole {
					sure = any
				}
			}
		}
		if sure != "" {
			roles[sure] = true
		}
		state := r.state(p, view)
		switch {
		case state != nil && *state:
			said[view] = word(cmp.Or(sure, any, "listed"))
		case state != nil && view == schema.RoleView:
			said[view] = word("not_member")
		case state != nil:
			said[view] = word("absent")
		}
	}
	denies := func(view schema.View) bool { s := r.state(p, view); return s != nil && !*s }
	var found []schema.Discrepancy
	for kind, holds := range map[string]bool{
		"user_view_only":  accuses[schema.UserView] && denies(schema.GroupView),
		"group_view_only": accuses[schema.GroupView] && denies(schema.UserView),
		"not_member":      denies(schema.RoleView) && r.rolesWhole(p) && (accuses[schema.UserView] || accuses[schema.GroupView]),
		"role_conflict":   len(roles) > 1,
	} {
		if holds {
			found = append(found, schema.Discrepancy{Source: p.source, GroupID: p.group, UserID: p.user, Kind: kind,
				UserView: said[schema.UserView], GroupView: said[schema.GroupView], RoleView: said[schema.RoleView]})
		}
	}
	slices.SortFunc(found, func(a, b schema.Discrepancy) int { return cmp.Compare(a.Kind, b.Kind) })
	return found
}

// standing gives verdict and declared total of a group or user from the blocks that list it.
func (r *reference) standing(source string, view schema.View, key string) (schema.Verdict, *int64) {
	type word struct {
		totals, partial bool
		rank            int
		verdict         schema.Verdict
		declared        int64
	}
	ranks := []schema.Verdict{schema.Exact, schema.Unverifiable, schema.Drifted, schema.Short, schema.Over, schema.VerdictGone, schema.VerdictUnsupported, schema.VerdictFailed}
	var words []word
	for i, b := range r.blocks {
		d, ok := r.final(i, key)
		if b.Source != source || b.View != view || !ok {
			continue
		}
		verdict := map[schema.Outcome]schema.Verdict{schema.OK: d.Verdict, schema.Gone: schema.VerdictGone, schema.Unsupported: schema.VerdictUnsupported, schema.Denied: schema.VerdictFailed, schema.Failed: schema.VerdictFailed}[d.Outcome]
		w := word{totals: d.Declared >= 0 && !b.Partial, partial: b.Partial, rank: slices.Index(ranks, verdict), verdict: verdict, declared: d.Declared}
		if b.Partial {
			w.declared = -1
		}
		words = append(words, w)
	}
	if len(words) == 0 {
		return schema.NotAsked, nil
	}
	no := func(b bool) int {
		if b {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(words, func(a, b word) int {
		return cmp.Or(no(a.totals)-no(b.totals), no(!a.partial)-no(!b.partial), a.rank-b.rank)
	})
	return words[0].verdict, total(words[0].declared)
}

func (r *reference) groupTable() {
	known := map[[2]string]bool{}
	for _, rec := range r.records {
		if b := r.blocks[rec.Block]; b.View != schema.UserView {
			known[[2]string{b.Source, rec.Key}] = true
		}
	}
	for _, m := range r.out.Memberships {
		known[[2]string{m.Source, m.GroupID}] = true
	}
	for _, g := range r.groups {
		known[[2]string{r.blocks[g.Block].Source, g.ID}] = true
	}
	for _, k := range slices.SortedFunc(maps.Keys(known), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) }) {
		g := schema.Group{Source: k[0], GroupID: k[1]}
		for _, m := range r.out.Memberships {
			if m.Source != k[0] || m.GroupID != k[1] {
				continue
			}
			if m.InGroupView != nil && *m.InGroupView {
				g.CollectedMembers++
			}
			if m.Role != nil && *m.Role == "owner" {
				g.Owners++
			}
			if m.Role != nil && *m.Role == "admin" {
				g.Admins++
			}
		}
		g.Name = r.told(k, func(g spool.Group) schema.Text { return g.Name })
		g.Type = r.told(k, func(g spool.Group) schema.Text { return g.Type })
		verdict, declared := r.standing(k[0], schema.GroupView, k[1])
		g.Verdict, g.DeclaredMembers = string(verdict), declared
		r.out.Groups = append(r.out.Groups, g)
		r.out.Summary.Groups[verdict]++
	}
}

func (r *reference) told(k [2]string, field func(spool.Group) schema.Text) *string {
	var full, empty []string
	for _, g := range r.groups {
		if r.blocks[g.Block].Source != k[0] || g.ID != k[1] || !field(g).Valid {
			continue
		}
		if v := field(g).Value; v == "" {
			empty = append(empty, v)
		} else {
			full = append(full, v)
		}
	}
	slices.Sort(full)
	if all := append(full, empty...); len(all) > 0 {
		return &all[0]
	}
	return nil
}

func (r *reference) userTable() {
	known := map[[2]string]bool{}
	for _, rec := range r.records {
		if b := r.blocks[rec.Block]; b.View == schema.UserView {
			known[[2]string{b.Source, rec.Key}] = true
		}
	}
	for _, m := range r.out.Memberships {
		known[[2]string{m.Source, m.UserID}] = true
	}
	for _, k := range slices.SortedFunc(maps.Keys(known), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) }) {
		u := schema.User{Source: k[0], UserID: k[1]}
		for _, m := range r.out.Memberships {
			if m.Source == k[0] && m.UserID == k[1] && m.InUserView != nil && *m.InUserView {
				u.CollectedGroups++
			}
		}
		verdict, declared := r.standing(k[0], schema.UserView, k[1])
		u.Verdict, u.DeclaredGroups = string(verdict), declared
		r.out.Users = append(r.out.Users, u)
		r.out.Summary.Users[verdict]++
	}
}

// census counts roles and ownerless groups from the rows of the tables.
func (r *reference) census() {
	sum := &r.out.Summary
	unknown := map[place]int64{}
	for _, m := range r.out.Memberships {
		word, held := m.RoleRaw, schema.NoRole
		if m.Role != nil {
			held, _ = schema.ParseRole(*m.Role)
			word = cmp.Or(word, m.Role)
		} else if m.InGroupView != nil && *m.InGroupView {
			unknown[place{m.Source, m.GroupID, ""}]++
		}
		sum.Held[held]++
		if word == nil {
			continue
		}
		if sum.Roles[m.Source] == nil {
			sum.Roles[m.Source] = map[string]int64{}
		}
		sum.Roles[m.Source][*word]++
	}
	for _, g := range r.out.Groups {
		switch {
		case g.Verdict != "exact":
		case g.CollectedMembers == 0:
			sum.Empty++
		case g.Owners > 0:
			sum.Judged++
		case unknown[place{g.Source, g.GroupID, ""}] == 0:
			sum.Judged++
			sum.Ownerless++
		}
	}
}
