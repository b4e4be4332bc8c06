package verify

import (
	"cmp"
	"maps"
	"slices"

	"rollcall/sinks/manifest"
)

// acknowledged are the groups or users that a manifest acknowledges and whose rows were not found yet, by
// source and ID.
type acknowledged map[[2]string]acknowledgedRow

// acknowledgedRow is what the row must say.
type acknowledgedRow struct {
	verdict             string
	declared, collected int64 // declared is -1 where there is none
}

func acknowledgedIn(m manifest.Manifest, users bool) acknowledged {
	all := acknowledged{}
	for _, a := range m.Acknowledged {
		ids, are := a.IDs()
		if are != users {
			continue
		}
		for i, id := range ids {
			all[[2]string{a.Source, id}] = acknowledgedRow{a.Verdict, orNone(a.Declared[i]), a.Collected[i]}
		}
	}
	return all
}

func orNone(n *int64) int64 {
	if n == nil {
		return -1
	}
	return *n
}

// take takes note of a row.
func (a acknowledged) take(source, id, verdict string, declared *int64, collected int64) {
	if key := [2]string{source, id}; len(a) > 0 && a[key] == (acknowledgedRow{verdict, orNone(declared), collected}) {
		delete(a, key)
	}
}

// unfound says which rows are not there, or other than the manifest acknowledges them.
func (c *content) unfound(table string, left acknowledged) {
	s := c.agreement(table)
	defer s.close()
	for _, key := range slices.SortedFunc(maps.Keys(left), func(a, b [2]string) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) }) {
		s.wrong("the manifest acknowledges %.80q of %s as %s, and no row says so with the same figures", key[1], key[0], left[key].verdict)
	}
}
