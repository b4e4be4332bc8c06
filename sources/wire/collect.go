package wire

import (
	"rollcall/schema"
	"rollcall/schema/fault"
	"rollcall/sources"
)

// Bounds of what one key may take, whatever a vendor declares.
const (
	mostBarren     = 3          // pages in a row without a new row, where all are asked for
	mostFiltered   = 50         // the same where some roles are asked for: pages may be filtered after they were cut
	membersAPage   = 100        // such a page more is allowed for so many members that the total claims,
	membersCounted = 1_000_000  // counted up to here
	MostRows       = 20_000_000 // rows of one key

	fewRows = 16 // are looked through faster than a map is made
)

// Subject is what answers are about, for messages.
type Subject struct {
	Vendor string // RongCloud
	Data   string // group_members
	Key    string // group "g"
}

// Contradictory is the fault of answers that are good, each by itself, and yet can't all be true. It is
// to be raised once a page was accepted, and not while it is read: asking for the same page again would
// give the same, so that the host reads the whole key once more.
func (s Subject) Contradictory(format string, args ...any) *fault.Error {
	return fault.New(fault.Transient, "%s contradicts itself about %s of %s: "+format, append([]any{s.Vendor, s.Data, s.Key}, args...)...)
}

// Failed is the fault of a key that another reading would not help.
func (s Subject) Failed(format string, args ...any) *fault.Error {
	e := fault.New(fault.Item, "%s of %s: "+format, append([]any{s.Data, s.Key}, args...)...)
	e.Outcome = schema.Failed
	return e
}

// Foreign is the fault of an answer that names another question than it was given to.
func (s Subject) Foreign(named string) *fault.Error {
	e := fault.New(fault.Transient, "%s answered %s of %s with what it says is about %s", s.Vendor, s.Data, s.Key, Quote(named))
	e.Err = sources.ErrForeign
	return e
}

// Echo holds what an answer repeats of its question against the question.
type Echo struct {
	Asked   string
	Matched bool   // something was repeated, and rightly
	Other   string // what else was named, empty for nothing
}

// See looks at one text that the answer names; an empty one says nothing.
func (e *Echo) See(named string) {
	switch named {
	case "":
	case e.Asked:
		e.Matched = true
	default:
		e.Other = named
	}
}

// List looks at a list that answers to another kind of question have.
func (e *Echo) List(d *Decoder, name string) {
	if d.listing() {
		e.Other = "a list of " + name
	}
}

// Page is what one answer gave.
type Page struct {
	Rows    []sources.Row
	Listed  bool  // there was a list, be it empty
	Total   int64 // as declared; negative where there was none, or none that is valid
	Altered Altered
}

// Collector collects the pages of one reading. It keeps each row once, the first; it refuses pages that
// contradict each other; and it never takes the vendor's word for how much is to come.
type Collector struct {
	Subject
	ID         func(*sources.Row) string // tells rows of this reading apart
	Totals     bool                      // the vendor declares a total in every answer
	Filtered   bool                      // only some roles were asked for, so that the total tells nothing of the rows
	RolesAsked bool                      // each row answers which role a user has

	Rows     []sources.Row
	Altered  Altered
	Declared int64 // the last total; -1 before the first
	Drifted  bool  // the total changed from page to page

	seen   map[string]int // places in Rows by ID; nil for up to fewRows
	barren int            // pages in a row that brought nothing new
	most   int            // rows; for tests
}

// Begin begins a walk, also another one of the same reading.
func (c *Collector) Begin() {
	c.barren = 0
	if c.most == 0 {
		c.Declared, c.most = -1, MostRows
	}
}

// Take accepts a page and adds the rows that are new. The page's rows must not be used any more.
func (c *Collector) Take(p Page) error {
	if err := c.check(p); err != nil {
		return err
	}
	if c.Totals {
		c.Drifted = c.Drifted || c.Declared >= 0 && p.Total != c.Declared
		c.Declared = p.Total
	}
	c.Altered.Add(p.Altered)
	before := len(c.Rows)
	if c.Rows == nil { // the first page is given over, so that none of its rows is moved
		c.Rows = p.Rows[:0]
	}
	for i := range p.Rows {
		if err := c.add(&p.Rows[i]); err != nil {
			return err
		}
	}
	if c.barren++; len(c.Rows) > before {
		c.barren = 0
	}
	return nil
}

// check refuses a page that would let nothing pass for an empty list.
func (c *Collector) check(p Page) error {
	switch {
	case c.Totals && p.Total < 0:
		return c.Contradictory("an answer has no valid total, which this endpoint gives in each")
	case p.Listed || c.Filtered:
		return nil
	case !c.Totals:
		return c.Contradictory("an answer has neither a list nor a total")
	case p.Total > int64(len(c.Rows)):
		return c.Contradictory("an answer has no list and declares %d in all, of which %d had come", p.Total, len(c.Rows))
	}
	return nil
}

func (c *Collector) add(row *sources.Row) error {
	id := c.ID(row)
	if at := c.find(id); at >= 0 {
		return c.agree(&c.Rows[at], row)
	}
	if len(c.Rows) >= c.most {
		return c.Failed("more than %d rows, which is more than one key may have", c.most)
	}
	c.Rows = append(c.Rows, *row)
	switch {
	case c.seen != nil:
		c.seen[id] = len(c.Rows) - 1
	case len(c.Rows) > fewRows:
		c.seen = make(map[string]int, cap(c.Rows)) // the room of what came: how much is to come, nobody can be believed
		for i := range c.Rows {
			c.seen[c.ID(&c.Rows[i])] = i
		}
	}
	return nil
}

// find gives the place of a row that came before, or -1.
func (c *Collector) find(id string) int {
	if c.seen != nil {
		if at, before := c.seen[id]; before {
			return at
		}
		return -1
	}
	for i := range c.Rows {
		if c.ID(&c.Rows[i]) == id {
			return i
		}
	}
	return -1
}

// agree holds a row against one that came before, about the same membership: what says who is a member,
// and as what, must be the same in both. Of a nickname, a time of joining and the like, the first stands.
// A row that lacks a role says nothing against one that has it, but where roles are what was asked for.
func (c *Collector) agree(was, row *sources.Row) error {
	switch {
	case was.Role == row.Role && was.RoleRaw == row.RoleRaw && was.NotMember == row.NotMember:
		return nil
	case !c.RolesAsked && !row.RoleRaw.Valid:
		return nil
	case !c.RolesAsked && !was.RoleRaw.Valid:
		was.Role, was.RoleRaw = row.Role, row.RoleRaw
		return nil
	}
	return c.Contradictory("%s is there twice, with the role %s and with %s", Quote(c.ID(was)), said(was.RoleRaw), said(row.RoleRaw))
}

func said(role schema.Text) string {
	if !role.Valid {
		return "none"
	}
	return Quote(role.Value)
}

// Advancing is to be asked before the next page: a walk whose pages bring nothing new ends as a failed
// key. The vendor's total doesn't lengthen it, but where pages may be filtered after they were cut.
func (c *Collector) Advancing() error {
	most := mostBarren
	if c.Filtered {
		most = mostFiltered + int(min(max(c.Declared, 0), membersCounted))/membersAPage
	}
	if c.barren < most {
		return nil
	}
	return c.Stuck("%d pages in a row brought nothing new", c.barren)
}

// Stuck is the fault of a walk that doesn't advance. It is of the key at once: a second walk would cost
// as many requests in vain.
func (c *Collector) Stuck(format string, args ...any) *fault.Error {
	return c.Failed("paging doesn't advance after %d rows: "+format, append([]any{len(c.Rows)}, args...)...)
}
