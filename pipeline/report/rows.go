package report

import (
	"slices"
	"strconv"

	"github.com/dustin/go-humanize"

	"rollcall/schema"
	"rollcall/sinks/manifest"
)

func keyOf(o schema.KeyOutcome) keyRow {
	return keyRow{shown(o.Source), shown(o.Data), shown(o.Key), o.Outcome, shown(text(o.VendorCode)), shown(text(o.Message))}
}

func groupOf(g schema.Group) groupRow {
	return groupRow{
		Source: shown(g.Source), ID: shown(g.GroupID), Name: shown(text(g.Name)), Verdict: g.Verdict, Declared: optional(g.DeclaredMembers),
		Collected: g.CollectedMembers, Owners: g.Owners, Admins: g.Admins,
	}
}

func userOf(u schema.User) userRow {
	return userRow{shown(u.Source), shown(u.UserID), u.Verdict, optional(u.DeclaredGroups), u.CollectedGroups}
}

func optional(n *int64) string {
	if n == nil {
		return "–"
	}
	return humanize.Comma(*n)
}

func changesOf(m manifest.Manifest, f *found) changes {
	c := changes{Note: shown(m.ChangesNote), Privileged: mapped(f.Privileged, changeOf), Moved: mapped(f.Moved, func(m moved) moved {
		m.Source, m.GroupID = shown(m.Source), shown(m.GroupID)
		return m
	})}
	if m.ChangesBase == nil {
		return c
	}
	c.Known, c.Base = true, shown(*m.ChangesBase)
	c.Figures = []tile{
		{Label: "joined", Figure: figure{"changes.joined", m.Changes["joined"]}},
		{Label: "left", Figure: figure{"changes.left", m.Changes["left"]}},
		{Label: "changed role", Figure: figure{"changes.role_changed", m.Changes["role_changed"]}},
		{Label: "of these, not certain", Figure: figure{"changes.uncertain", m.ChangesUncertain}},
	}
	return c
}

func changeOf(c schema.Change) changeRow {
	return changeRow{shown(c.Source), shown(c.GroupID), shown(c.UserID), c.Change, shown(text(c.RoleBefore)), shown(text(c.RoleAfter)), c.Certain}
}

// HistoryColumns are the headings of the cells of a historyRow.
func (page) HistoryColumns() []string {
	return []string{"memberships", "groups", "users", "keys missing", "counts that differ", "joined", "left", "changed role", "owners", "admins", "members", "ownerless", "empty", "requests", "took"}
}

// historyOf lists the nights, the latest first.
func historyOf(nights []night) []historyRow {
	var rows []historyRow
	for _, n := range slices.Backward(nights) {
		row := historyRow{Date: n.Date, Code: strconv.Itoa(n.Code), Whole: n.Code == 0}
		if n.Late {
			row.Date += " (backdated)"
		}
		if n.Unread {
			row.Code = "unreadable"
		}
		for _, v := range []*int64{n.rows("memberships"), n.rows("groups"), n.rows("users"), n.Missing, n.Differs, n.Joined, n.Left, n.Changed, n.role("owner"), n.role("admin"), n.role("member"), n.Orphans, n.Empty, n.Requests} {
			row.Cells = append(row.Cells, optional(v))
		}
		took := "–"
		if n.Took > 0 {
			took = span(n.Took)
		}
		row.Cells = append(row.Cells, took)
		rows = append(rows, row)
	}
	return rows
}

func tablesOf(m manifest.Manifest) []tableRow {
	var all []tableRow
	for _, t := range schema.Tables() {
		row, size := tableRow{Name: t.Name, Doc: t.Doc, Files: figure{Name: "files." + t.Name}, Rows: figure{Name: "table." + t.Name}}, int64(0)
		for _, f := range m.Files {
			if f.Table == t.Name {
				row.Files.N++
				row.Rows.N += f.Rows
				size += f.Size
			}
		}
		row.Size = sized(size)
		all = append(all, row)
	}
	return all
}

func listsOf(m manifest.Manifest) []listRow {
	var all []listRow
	for _, l := range m.Lists {
		all = append(all, listRow{
			Name: shown(l.Name), Sum: l.SHA256, IDs: figure{"lists." + l.Name + ".ids", l.IDs}, Read: figure{"lists." + l.Name + ".read", l.Read},
			Before: optional(l.Before), Without: optional(l.WithoutRows),
		})
	}
	return all
}
