package changes_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rollcall/pipeline/changes"
	"rollcall/pipeline/merge"
	"rollcall/pipeline/snapshot"
	"rollcall/pipeline/spool"
	"rollcall/schema"
	"rollcall/sinks"
	"rollcall/sinks/manifest"
	"rollcall/sinks/parquet"
	"rollcall/sources"
)

const groupSize = 40

// crowd is many memberships that are made up while they are read: groups of 40, in two views. One
// in a hundred is absent, another one on each night.
type crowd struct{ members, night int }

func (c crowd) absent(member int) bool { return member%100 == c.night }

func group(member int) string { return fmt.Sprintf("group-%08d", member/groupSize) }

// user is who sits there; everybody sits in ten groups.
func (c crowd) user(member int) string {
	return fmt.Sprintf("u%09d", member/groupSize*7%c.tables()*groupSize+member%groupSize)
}

func (c crowd) tables() int { return c.members/groupSize/10 + 1 }

// generated gives n rows by number.
type generated[Row any] struct {
	n, next int
	row     Row
	fill    func(i int, row *Row) bool // false: there is no such row
}

func (g *generated[Row]) Next() bool {
	for g.next < g.n {
		g.next++
		if g.fill(g.next-1, &g.row) {
			return true
		}
	}
	return false
}
func (g *generated[Row]) Row() *Row    { return &g.row }
func (g *generated[Row]) Err() error   { return nil }
func (g *generated[Row]) Close() error { return nil }

func (c crowd) Blocks() []spool.Block {
	return []spool.Block{{Address: "v_group_members.all", Source: "v.prod", View: schema.GroupView}, {Address: "v_joined_groups.all", Source: "v.prod", View: schema.UserView}}
}

func (c crowd) Rows(context.Context, []int) (merge.Cursor[spool.Row], error) {
	return &generated[spool.Row]{n: 2 * c.members, fill: func(i int, row *spool.Row) bool {
		if c.absent(i / 2) {
			return false
		}
		if i%2 == 0 || row.Group == "" {
			row.Group, row.User = group(i/2), c.user(i/2)
		}
		row.Block, row.Whole = i%2, true
		row.Row = sources.Row{Group: row.Group, User: row.User, Role: schema.Member, RoleRaw: schema.SomeText("Member")}
		return true
	}}, nil
}

func (c crowd) Groups(context.Context, []int) (merge.Cursor[spool.Group], error) {
	return &generated[spool.Group]{}, nil
}

func (c crowd) Records(_ context.Context, block int) (merge.Cursor[spool.Record], error) {
	n, key := c.members/groupSize, func(i int) string { return group(i * groupSize) }
	if block == 1 {
		n, key = c.tables()*groupSize, func(i int) string { return fmt.Sprintf("u%09d", i) }
	}
	return &generated[spool.Record]{n: n, fill: func(i int, r *spool.Record) bool {
		*r = spool.Record{Block: block, Key: key(i), Generation: 1, Outcome: schema.OK, Verdict: schema.Exact, Rows: 10, Declared: 10, Requests: 1, Attempts: 1, AskedAt: 1, AnsweredAt: 2}
		return true
	}}, nil
}

// seal writes a crowd as a snapshot, as a run would, with the base at its side where there is one.
func (c crowd) seal(b *testing.B, sink sinks.Sink, date string, base *snapshot.Snapshot) {
	dir := b.TempDir()
	t := schema.Tables()
	members, groups := parquet.NewWriter[schema.Membership](dir, t[0], parquet.Options{}), parquet.NewWriter[schema.Group](dir, t[1], parquet.Options{})
	users, outcomes := parquet.NewWriter[schema.User](dir, t[2], parquet.Options{}), parquet.NewWriter[schema.KeyOutcome](dir, t[3], parquet.Options{})
	discrepancies, accounts := parquet.NewWriter[schema.Discrepancy](dir, t[4], parquet.Options{}), parquet.NewWriter[schema.SourceFigures](dir, t[6], parquet.Options{})
	options := merge.Options{Scratch: b.TempDir(), Memory: 32 << 20}
	began := time.Now()
	var comparison *changes.Comparison
	if base != nil {
		var err error
		if comparison, err = changes.New(b.Context(), base.Proven(options.Scratch, nil), changes.Night{Input: c}, changes.Options{Scratch: options.Scratch, Memory: 16 << 20}); err != nil {
			b.Fatal(err)
		}
		defer comparison.Close()
		options.Witness = comparison
	}
	if _, err := merge.Run(b.Context(), c, merge.Output{Memberships: members, Groups: groups, Users: users, Outcomes: outcomes, Discrepancies: discrepancies}, options); err != nil {
		b.Fatal(err)
	}
	if comparison != nil {
		counts, err := comparison.Write(b.Context(), parquet.NewWriter[schema.Change](dir, t[5], parquet.Options{}))
		if want := int64(c.members / 100); err != nil || c.members%100 == 0 && counts != (changes.Counts{Joined: want, Left: want}) {
			b.Fatal(counts, err)
		}
	}
	b.ReportMetric(time.Since(began).Seconds(), "s/"+date)
	b.ReportMetric(peak(b), "MiB/"+date)
	if err := accounts.Write([]schema.SourceFigures{{Source: "v.prod", Type: "v", AppID: "1"}}); err != nil {
		b.Fatal(err)
	}
	m := manifest.Manifest{Date: date, Sequence: 1, Data: map[string]manifest.Data{"v_group_members.all": {Source: "v.prod", View: "group"}, "v_joined_groups.all": {Source: "v.prod", View: "user"}}}
	if base != nil {
		m.Sequence, m.Previous = 2, base.Link()
	}
	lock, err := sink.Lock(b.Context(), sinks.Owner{State: "bench"})
	if err != nil {
		b.Fatal(err)
	}
	defer lock.Release(b.Context())
	staging, err := sink.Begin(b.Context(), lock, date, dir+"/journal")
	if err != nil {
		b.Fatal(err)
	}
	for _, w := range []interface {
		Close() ([]parquet.File, error)
	}{members, groups, users, outcomes, discrepancies, accounts} {
		files, err := w.Close()
		if err != nil {
			b.Fatal(err)
		}
		for _, f := range files {
			file := manifest.File{Path: f.Table + "/snapshot_date=" + date + "/" + f.Name, Table: f.Table, Size: f.Size, Rows: f.Rows, SHA256: fmt.Sprintf("%x", f.SHA256), MinKey: f.MinKey, MaxKey: f.MaxKey}
			m.Files = append(m.Files, file)
			if err := staging.Put(b.Context(), file.Path, f.LocalPath, f.SHA256); err != nil {
				b.Fatal(err)
			}
		}
	}
	encoded, err := manifest.Encode(m)
	if err == nil {
		err = staging.Seal(b.Context(), manifest.Path(date), encoded)
	}
	if err != nil {
		b.Fatal(err)
	}
}

// peak is the most memory that the process has had in RAM since the last call, in MiB.
func peak(b *testing.B) float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skip(err)
	}
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	kib := 0.0
	if _, err := fmt.Sscan(after, &kib); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		b.Fatal(err)
	}
	return kib / 1024
}

// BenchmarkNights seals a night without a base, one with it, and compares the two. Run it with
// -benchtime 10000000x; ROLLCALL_BENCH_OUT keeps the sink.
func BenchmarkNights(b *testing.B) {
	out := b.TempDir()
	if kept := os.Getenv("ROLLCALL_BENCH_OUT"); kept != "" {
		out = filepath.Join(kept, fmt.Sprint(b.N))
	}
	sink := openAt(b, out)
	peak(b)
	crowd{b.N, 0}.seal(b, sink, "2026-11-20", nil)
	base, err := snapshot.Open(b.Context(), sink, "2026-11-20")
	if err != nil {
		b.Fatal(err)
	}
	crowd{b.N, 1}.seal(b, sink, "2026-11-21", base)
}
