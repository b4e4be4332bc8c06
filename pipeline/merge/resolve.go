package merge

import (
	"rollcall/schema"
)

// memberValues is what the pointers of one membership point to.
type memberValues struct {
	raw, nickname, extra string
	joined               int64
}

// memberships is the batch of memberships with the few values that many rows share.
type memberships struct {
	batch   batch[schema.Membership, memberValues]
	roles   [schema.Member + 1]*string
	yes, no *bool
}

// hearing is a pair with what the views that don't name it say by their silence.
type hearing struct {
	*pair
	source, group string
	roles         bool    // the role view may accuse
	absent        [3]bool // the view was read whole and does not name the pair; NotMember of the role view
}

// add writes the row of a pair that some view names, and tells its role.
func (m *memberships) add(h *hearing, disputed bool) (schema.Role, schema.Text, error) {
	row, values, err := m.batch.next()
	if err != nil {
		return schema.NoRole, schema.Text{}, err
	}
	role, raw := h.role()
	row.Source, row.GroupID, row.UserID = h.source, h.group, h.user
	row.Role, row.RoleRaw = m.roles[role], point(raw, &values.raw)
	for _, view := range [...]schema.View{schema.GroupView, schema.UserView} {
		s := &h.views[view]
		if row.Nickname == nil {
			row.Nickname = point(s.nickname, &values.nickname)
		}
		if row.Extra == nil {
			row.Extra = point(s.extra, &values.extra)
		}
		if row.JoinedAt == nil && s.joined.Valid {
			values.joined = s.joined.Value
			row.JoinedAt = &values.joined
		}
	}
	row.InUserView = m.view(h, schema.UserView)
	row.InGroupView = m.view(h, schema.GroupView)
	row.InRoleView = m.view(h, schema.RoleView)
	row.Disputed = disputed
	return role, raw, nil
}

func (m *memberships) view(h *hearing, v schema.View) *bool {
	switch {
	case h.views[v].named:
		return m.yes
	case h.absent[v]:
		return m.no
	default:
		return nil
	}
}

// point gives a pointer to the text, put into place; nil where there is none.
func point(t schema.Text, place *string) *string {
	if !t.Valid {
		return nil
	}
	*place = t.Value
	return place
}

// role gives what the first view says that names a role at all, known or not: a role of the
// vendor's own must not be read as the plain one that a lesser view shows.
func (h *hearing) role() (schema.Role, schema.Text) {
	view, named := h.roleView()
	if !named {
		return schema.NoRole, schema.Text{}
	}
	return h.views[view].role, h.views[view].raw
}

// roleView is the view whose role stands; named is false where none names one.
func (h *hearing) roleView() (view schema.View, named bool) {
	for _, view := range [...]schema.View{schema.RoleView, schema.GroupView, schema.UserView} {
		if s := &h.views[view]; s.role != schema.NoRole || s.raw.Valid {
			return view, true
		}
	}
	return schema.UserView, false
}

// kinds lists the discrepancies of a pair in the order of the table's key.
func (h *hearing) kinds(kinds []string) []string {
	user, group, role := &h.views[schema.UserView], &h.views[schema.GroupView], &h.views[schema.RoleView]
	if group.whole && h.absent[schema.UserView] {
		kinds = append(kinds, "group_view_only")
	}
	if h.roles && h.absent[schema.RoleView] && (user.whole || group.whole) {
		kinds = append(kinds, "not_member")
	}
	if differ(user.sure, group.sure) || differ(user.sure, role.sure) || differ(group.sure, role.sure) {
		kinds = append(kinds, "role_conflict")
	}
	if user.whole && h.absent[schema.GroupView] {
		kinds = append(kinds, "user_view_only")
	}
	return kinds
}

func differ(a, b schema.Role) bool { return a != b && a != schema.NoRole && b != schema.NoRole }

// word is what a view said, for people; nothing where it said nothing.
func (h *hearing) word(v schema.View) schema.Text {
	s := &h.views[v]
	switch {
	case s.named && s.sure != schema.NoRole:
		return schema.SomeText(s.sure.String())
	case s.named && s.role != schema.NoRole:
		return schema.SomeText(s.role.String())
	case s.named:
		return schema.SomeText("listed")
	case h.absent[v] && v == schema.RoleView:
		return schema.SomeText("not_member")
	case h.absent[v]:
		return schema.SomeText("absent")
	default:
		return schema.Text{}
	}
}

// accuse writes the discrepancies of a pair and tells how many there are.
func (m *merger) accuse(h *hearing) (int, error) {
	var place [4]string
	kinds := h.kinds(place[:0])
	for _, kind := range kinds {
		row, values, err := m.discrepancies.next()
		if err != nil {
			return 0, err
		}
		row.Source, row.GroupID, row.UserID, row.Kind = h.source, h.group, h.user, kind
		row.UserView = point(h.word(schema.UserView), &values[0])
		row.GroupView = point(h.word(schema.GroupView), &values[1])
		row.RoleView = point(h.word(schema.RoleView), &values[2])
		m.summary.Discrepancies[kind]++
	}
	return len(kinds), nil
}
