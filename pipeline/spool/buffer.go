package spool

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"unsafe"

	"rollcall/schema"
	"rollcall/schema/fault"
	"rollcall/sources"
)

// buffer collects entries in memory without a pointer to any of them: texts lie in one arena, rows
// and records refer to them by span. It is not safe for concurrent use.
type buffer struct {
	ordinals []int // source ordinal of each block
	arena    []byte
	rows     []packedRow
	records  []packedRecord
	keys     []sortKey // from here on scratch of rowsInOrder
	near     [256]packedRow
	touched  byte
	row      Row
}

// span is a text in the arena; absent where size is -1.
type span struct {
	at   uint32
	size int32
}

type packedRow struct {
	group, user, name, kind, raw, nickname, extra span

	joined                       int64
	block                        int32
	role                         schema.Role
	whole, notMember, joinedTold bool
}

type packedRecord struct {
	key, outcome, verdict, code, message span

	block, generation                                                      int32
	rows, declared, requests, attempts, replaced, cut, askedAt, answeredAt int64
}

// sortKey is where a row sorts: most comparisons are decided by these few bytes alone.
type sortKey struct {
	group, user uint64 // the bytes that follow what all groups, all users of the source have in common
	source, row uint32
}

const (
	rowSize    = int(unsafe.Sizeof(packedRow{}) + unsafe.Sizeof(sortKey{}))
	recordSize = int(unsafe.Sizeof(packedRecord{})) + 4
)

func newBuffer(ordinals []int) *buffer { return &buffer{ordinals: ordinals} }

func (b *buffer) size() int {
	return len(b.arena) + len(b.rows)*rowSize + len(b.records)*recordSize
}

func (b *buffer) reset() {
	b.arena, b.rows, b.records = b.arena[:0], b.rows[:0], b.records[:0]
}

// add copies all of e, or nothing.
func (b *buffer) add(e Entry) error {
	arena, rows, records := len(b.arena), len(b.rows), len(b.records)
	b.addRecord(&e.Record)
	last := packedRow{group: span{size: -1}, user: span{size: -1}, name: span{size: -1}, kind: span{size: -1}, raw: span{size: -1}}
	for i := range e.Rows {
		last = b.pack(&e.Rows[i], &last)
		last.block, last.whole = int32(e.Record.Block), e.Whole
		b.rows = append(b.rows, last)
		if len(b.arena) > math.MaxUint32/2 {
			break
		}
	}
	if len(b.arena) > math.MaxUint32/2 {
		b.arena, b.rows, b.records = b.arena[:arena], b.rows[:rows], b.records[:records]
		return fault.New(fault.Bug, "the answer for key %q is too large for the spool: over 2 GiB", e.Record.Key)
	}
	return nil
}

// pack copies r; texts that equal those of the row before it are shared with that row.
func (b *buffer) pack(r *sources.Row, last *packedRow) packedRow {
	return packedRow{
		group:      b.share(r.Group, last.group),
		user:       b.share(r.User, last.user),
		name:       b.shareText(r.GroupName, last.name),
		kind:       b.shareText(r.GroupType, last.kind),
		raw:        b.shareText(r.RoleRaw, last.raw),
		nickname:   b.putText(r.Nickname),
		extra:      b.putText(r.Extra),
		role:       r.Role,
		notMember:  r.NotMember,
		joined:     r.Joined.Value,
		joinedTold: r.Joined.Valid,
	}
}

func (b *buffer) addRecord(r *Record) {
	b.records = append(b.records, packedRecord{
		key: b.put(r.Key), outcome: b.put(string(r.Outcome)), verdict: b.put(string(r.Verdict)),
		code: b.put(r.Code), message: b.put(r.Message),
		block: int32(r.Block), generation: int32(r.Generation),
		rows: r.Rows, declared: r.Declared, requests: r.Requests, attempts: r.Attempts, replaced: r.Replaced, cut: r.Cut,
		askedAt: r.AskedAt, answeredAt: r.AnsweredAt,
	})
}

func (b *buffer) put(s string) span {
	at := len(b.arena)
	b.arena = append(b.arena, s...)
	return span{uint32(at), int32(len(s))}
}

func (b *buffer) putText(t schema.Text) span {
	if !t.Valid {
		return span{size: -1}
	}
	return b.put(t.Value)
}

func (b *buffer) share(s string, last span) span {
	if int(last.size) == len(s) && b.get(last) == s {
		return last
	}
	return b.put(s)
}

func (b *buffer) shareText(t schema.Text, last span) span {
	if !t.Valid {
		return span{size: -1}
	}
	return b.share(t.Value, last)
}

// get reads a text without copying it: valid until the buffer is reset.
func (b *buffer) get(s span) string {
	if s.size <= 0 {
		return ""
	}
	return unsafe.String(&b.arena[s.at], s.size)
}

func (b *buffer) text(s span) schema.Text {
	return schema.Text{Value: b.get(s), Valid: s.size >= 0}
}

// rowsInOrder gives each row in the order of the spool. The row and its texts are valid until yield returns.
func (b *buffer) rowsInOrder(yield func(*Row)) {
	b.makeKeys()
	slices.SortFunc(b.keys, b.compare)
	for chunk := range slices.Chunk(b.keys, len(b.near)) {
		b.fetch(chunk)
		for i := range chunk {
			b.unpack(&b.near[i])
			yield(&b.row)
		}
	}
}

// fetch copies the chunk's rows and touches their texts, all at once so that the processor waits
// for the memory of many rows together: sorted rows lie anywhere in the buffer.
func (b *buffer) fetch(chunk []sortKey) {
	for i, k := range chunk {
		b.near[i] = b.rows[k.row]
	}
	for i := range chunk {
		r := &b.near[i]
		for _, s := range [...]span{r.group, r.user, r.nickname} {
			if s.size > 0 {
				b.touched ^= b.arena[s.at]
			}
		}
	}
}

func (b *buffer) unpack(r *packedRow) {
	b.row = Row{Block: int(r.block), Whole: r.whole, Row: sources.Row{
		Group: b.get(r.group), User: b.get(r.user),
		GroupName: b.text(r.name), GroupType: b.text(r.kind),
		Role: r.role, RoleRaw: b.text(r.raw), NotMember: r.notMember,
		Nickname: b.text(r.nickname), Extra: b.text(r.extra),
		Joined: schema.Micros{Value: r.joined, Valid: r.joinedTold},
	}}
}

// makeKeys fills b.keys. IDs of one vendor often begin alike ("@TGS#2…"), so what all of a
// source's IDs have in common is left out of the keys.
func (b *buffer) makeKeys() {
	type common struct {
		group, user string
		seen        bool
	}
	commons := make([]common, len(b.ordinals))
	for i := range b.rows {
		r := &b.rows[i]
		c := &commons[b.ordinals[r.block]]
		if !c.seen {
			*c = common{b.get(r.group), b.get(r.user), true}
		}
		c.group = c.group[:shared(c.group, b.get(r.group))]
		c.user = c.user[:shared(c.user, b.get(r.user))]
	}
	b.keys = b.keys[:0]
	for i := range b.rows {
		r := &b.rows[i]
		source := b.ordinals[r.block]
		c := &commons[source]
		b.keys = append(b.keys, sortKey{
			group:  head(b.get(r.group)[len(c.group):]),
			user:   head(b.get(r.user)[len(c.user):]),
			source: uint32(source), row: uint32(i),
		})
	}
}

// shared counts the bytes with which a and b both begin.
func shared(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// head is the first eight bytes of s as a number that compares as they do.
func head(s string) uint64 {
	var b [8]byte
	copy(b[:], s)
	return binary.BigEndian.Uint64(b[:])
}

func (b *buffer) compare(x, y sortKey) int {
	if x.source != y.source {
		return cmp.Compare(x.source, y.source)
	}
	if x.group != y.group {
		return cmp.Compare(x.group, y.group)
	}
	p, q := &b.rows[x.row], &b.rows[y.row]
	if p.group != q.group {
		if c := cmp.Compare(b.get(p.group), b.get(q.group)); c != 0 {
			return c
		}
	}
	if x.user != y.user {
		return cmp.Compare(x.user, y.user)
	}
	if p.user != q.user {
		if c := cmp.Compare(b.get(p.user), b.get(q.user)); c != 0 {
			return c
		}
	}
	if p.block != q.block {
		return cmp.Compare(p.block, q.block)
	}
	return cmp.Compare(x.row, y.row)
}

// recordsInOrder gives each record in the order of the spool, valid until yield returns.
func (b *buffer) recordsInOrder(yield func(*Record)) {
	slices.SortStableFunc(b.records, func(x, y packedRecord) int {
		return cmp.Or(cmp.Compare(x.block, y.block), cmp.Compare(b.get(x.key), b.get(y.key)), cmp.Compare(x.generation, y.generation))
	})
	var r Record
	for i := range b.records {
		p := &b.records[i]
		r = Record{
			Block: int(p.block), Key: b.get(p.key), Generation: int(p.generation),
			Outcome: schema.Outcome(b.get(p.outcome)), Verdict: schema.Verdict(b.get(p.verdict)),
			Rows: p.rows, Declared: p.declared, Requests: p.requests, Attempts: p.attempts, Replaced: p.replaced, Cut: p.cut,
			Code: b.get(p.code), Message: b.get(p.message), AskedAt: p.askedAt, AnsweredAt: p.answeredAt,
		}
		yield(&r)
	}
}
