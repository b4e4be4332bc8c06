package reconcile

import (
	"context"
	"strings"
	"unicode"

	"rollcall/pipeline/sorted"
)

// Spellings counts the records that the snapshot lacks, and which of them would agree with a membership that no
// record names if IDs were spelt otherwise on both sides. All but Unmatched are 0 where the snapshot has
// pseudonyms, whose spelling is not known.
type Spellings struct {
	Unmatched int64 `json:"unmatched"`
	Trimmed   int64 `json:"without_blanks"` // would agree without blanks and unseen characters at the ends
	LowerCase int64 `json:"lower_case"`
	Both      int64 `json:"without_blanks_in_lower_case"`
}

// form is one way to spell an ID.
type form byte

const (
	asIs form = iota // pairs that differ in the source alone
	trimmed
	lowerCase
	trimmedLowerCase
)

func (s form) of(id string) string {
	if s == trimmed || s == trimmedLowerCase {
		id = strings.TrimFunc(id, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) })
	}
	if s == lowerCase || s == trimmedLowerCase {
		id = strings.ToLower(id)
	}
	return id
}

// side is where an unmatched pair stands.
type side byte

const (
	inRecords side = iota
	inSnapshot
)

// unmatched keeps a pair that the other side lacks, in every spelling.
func (r *reconciler) unmatched(p pair, from side) error {
	if from == inRecords {
		r.summary.Spellings.Unmatched++
	}
	if r.Hash != nil {
		return nil
	}
	for s := asIs; s <= trimmedLowerCase; s++ {
		key := sorted.AppendString(sorted.AppendString([]byte{byte(s)}, s.of(p.group)), s.of(p.user))
		if err := r.spellings.Add(key, []byte{byte(from)}); err != nil {
			return err
		}
	}
	return nil
}

// respell counts what would agree in another spelling: of the pairs that are one in it, as many as stand on
// both sides. It holds one pair at a time.
func (r *reconciler) respell(context.Context) error {
	cursor, err := r.spellings.Sort()
	if err != nil {
		return err
	}
	defer cursor.Close()
	var agree [trimmedLowerCase + 1]int64
	var last []byte
	var sides [2]int64
	count := func() {
		if last != nil {
			agree[last[0]] += min(sides[inRecords], sides[inSnapshot])
		}
	}
	for cursor.Next() {
		if key := cursor.Key(); last == nil || string(key) != string(last) {
			count()
			last, sides = append(last[:0], key...), [2]int64{}
		}
		sides[cursor.Value()[0]]++
	}
	count()
	s := &r.summary.Spellings
	s.Trimmed, s.LowerCase, s.Both = agree[trimmed]-agree[asIs], agree[lowerCase]-agree[asIs], agree[trimmedLowerCase]-agree[asIs]
	return cursor.Err()
}
