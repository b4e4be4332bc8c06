package reconcile

import (
	"context"
	"errors"
	"slices"

	"rollcall/pipeline/sorted"
)

// weight orders what sources say of one record: the lightest is what is told. A source that has the
// pair answers for it, and nobody is missing while one of them can't tell.
type weight byte

const (
	settled weight = iota // another record says the same of this source, and is told
	agrees
	unclear // it has the pair, and can't tell its role
	differs // it has the pair, with another role
	untold  // it lacks the pair, and can't tell
	denies  // it lacks the pair, and something that was read whole says so
	lacks   // the vendor says that the group or the user is gone
)

// finding is what one source says of a record.
type finding struct {
	weight weight
	kind   Kind // empty where it agrees
	vendor string
	why    string
}

// conclude takes what a record's source says, and keeps it for later where others have a say too.
func (r *reconciler) conclude(record record, f finding) error {
	if record.reach != ofSource {
		return r.claim(record, f)
	}
	return r.tally(record.pair, record.role, f)
}

// tally counts what is told of one record.
func (r *reconciler) tally(p pair, expected string, f finding) error {
	if f.weight == agrees {
		r.summary.Agree++
		return nil
	}
	if f.weight >= untold {
		if err := r.unmatched(p, inRecords); err != nil {
			return err
		}
	}
	return r.add(p, f.kind, expected, f.vendor, f.why)
}

// absorb settles the record that other is, where what it says is said of this source too.
func (r *reconciler) absorb(record, other record) error {
	switch {
	case other.contrary != "":
		return r.claim(other, finding{differs, Contradiction, "", "the records also say " + other.contrary})
	case other.role != "" && record.role != "" && other.role != record.role:
		return r.claim(other, finding{differs, Contradiction, "", "the records also say " + record.role + ", of " + record.source})
	default:
		return r.claim(other, finding{weight: settled})
	}
}

// claim keeps what a record's source says until all of them are known.
func (r *reconciler) claim(record record, f finding) error {
	key := append(sorted.AppendString(sorted.AppendString(nil, record.group), record.user), byte(f.weight))
	value := sorted.AppendString(record.appendValue(nil), record.source)
	for _, text := range []string{string(f.kind), f.vendor, f.why} {
		value = sorted.AppendString(value, text)
	}
	return r.claims.Add(sorted.AppendString(key, record.source), value)
}

// claim is what one source says of a record.
type claim struct {
	record
	finding
}

func cutClaim(cursor *sorted.Cursor) (c claim, err error) {
	rest := cursor.Key()
	for _, place := range []*string{&c.group, &c.user} {
		var text []byte
		if text, rest, err = sorted.CutString(rest); err != nil {
			return c, err
		}
		*place = string(text)
	}
	if len(rest) == 0 {
		return c, errors.New("what a source says was cut short in sorting")
	}
	c.weight = weight(rest[0])
	if rest, err = c.cutValue(cursor.Value()); err != nil {
		return c, err
	}
	var kind string
	for _, place := range []*string{&c.source, &kind, &c.vendor, &c.why} {
		var text []byte
		if text, rest, err = sorted.CutString(rest); err != nil {
			return c, err
		}
		*place = string(text)
	}
	c.kind = Kind(kind)
	return c, nil
}

// settle tells of each record that was held against several sources what the lightest claim says.
func (r *reconciler) settle(context.Context) error {
	cursor, err := r.claims.Sort()
	if err != nil {
		return err
	}
	defer cursor.Close()
	var lightest *claim
	var roles []string // that the sources have, of the same pair
	for cursor.Next() {
		c, err := cutClaim(cursor)
		if err != nil {
			return err
		}
		if lightest != nil && (lightest.group != c.group || lightest.user != c.user) {
			if err := r.tellClaim(*lightest, roles); err != nil {
				return err
			}
			lightest = nil
		}
		if lightest == nil {
			lightest, roles = &c, roles[:0]
		}
		roles = append(roles, c.vendor)
	}
	if err := cursor.Err(); err != nil || lightest == nil {
		return err
	}
	return r.tellClaim(*lightest, roles)
}

// tellClaim counts and tells the lightest claim about a record; roles are those that all its sources have.
func (r *reconciler) tellClaim(c claim, roles []string) error {
	if c.weight == settled {
		r.summary.Duplicates++
		return nil
	}
	r.summary.Pairs++
	if c.kind == Contradiction && slices.Contains(roles, c.role) && slices.Contains(roles, c.contrary) {
		c.finding = finding{weight: agrees} // each role is that of another source
	}
	if c.reach == nowhere && c.weight >= untold {
		c.why = "no source knows the group; " + c.source + ": " + c.why
		c.source = ""
	}
	return r.tally(c.pair, c.role, c.finding)
}
