package simulated

import "slices"

// lies are answers that are well-formed and can't be true.
type lies struct {
	noTotal, noList, foreign, twoRoles bool
}

// NoTotal leaves the total out of answers that have one.
func NoTotal() Effect { return Effect{mark: func(p *plan) { p.lies.noTotal = true }} }

// NoList gives null in the place of the list, whatever the total says.
func NoList() Effect { return Effect{mark: func(p *plan) { p.lies.noList = true }} }

// NoListNoTotal gives null in the place of the list, and no total.
func NoListNoTotal() Effect {
	return Effect{mark: func(p *plan) { p.lies.noTotal, p.lies.noList = true, true }}
}

// Foreign lets the answer name another group or user than was asked about, as when something on the
// way mixes answers up.
func Foreign() Effect { return Effect{mark: func(p *plan) { p.lies.foreign = true }} }

// TwoRoles tells the first row of an answer once more at its end, with another role.
func TwoRoles() Effect { return Effect{mark: func(p *plan) { p.lies.twoRoles = true }} }

// total writes the declared total.
func (q *query) total(t *text, name string, n int) {
	if q.plan.lies.noTotal {
		return
	}
	t.key(name)
	t.number(int64(max(0, n+q.plan.total)))
}

// named writes what the answer says that it is about: always, or only where it lies.
func (q *query) named(t *text, name, id string, always bool) {
	switch {
	case q.plan.lies.foreign:
		t.key(name)
		t.string(id + "-other")
	case always:
		t.key(name)
		t.string(id)
	}
}

// told is the rows as they are told.
func (q *query) told(rows []entry) []entry {
	if !q.plan.lies.twoRoles || len(rows) == 0 {
		return rows
	}
	twin := rows[0]
	twin.role = (twin.role + 1) % 3
	return append(slices.Clone(rows), twin)
}

// rows writes a list of so many rows.
func (q *query) rows(t *text, name string, n int, row func(i int)) {
	t.key(name)
	if q.plan.lies.noList {
		t.raw("null")
		return
	}
	t.raw("[")
	for i := range n {
		t.comma()
		row(i)
	}
	t.raw("]")
}
