package changes_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"rollcall/pipeline/changes"
	"rollcall/pipeline/merge"
	"rollcall/pipeline/snapshot"
	"rollcall/pipeline/spool"
	"rollcall/schema"
	"rollcall/schema/fault"
	"rollcall/sinks"
	"rollcall/sinks/local"
	"rollcall/sinks/manifest"
	"rollcall/sinks/sinktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func yes(b bool) *bool {
	if !b {
		return nil
	}
	return &b
}

// base is a snapshot of two sources: groups a and b, read whole, of users 1 to 3.
func base(t *testing.T, sink sinks.Sink, date string) *snapshot.Snapshot {
	t.Helper()
	var tables sinktest.Tables
	for _, source := range []string{"one", "two"} {
		for _, g := range []string{"a", "b"} {
			for _, u := range []string{"1", "2", "3"} {
				tables.Memberships = append(tables.Memberships, schema.Membership{Source: source, GroupID: g, UserID: u, Role: text("member"), InGroupView: yes(true)})
			}
			tables.Groups = append(tables.Groups, schema.Group{Source: source, GroupID: g, CollectedMembers: 3, Verdict: "exact"})
		}
		for _, u := range []string{"1", "2", "3"} {
			tables.Users = append(tables.Users, schema.User{Source: source, UserID: u, Verdict: "not_asked"})
		}
		tables.Sources = append(tables.Sources, schema.SourceFigures{Source: source, Type: "vendor", AppID: "app-" + source})
	}
	tables.Edit = func(m *manifest.Manifest) {
		m.Data = map[string]manifest.Data{}
		for _, source := range []string{"one", "two"} {
			m.Data["vendor_group_members."+source] = manifest.Data{Source: source, View: "group"}
		}
	}
	sinktest.Seal(t, sink, date, tables)
	s, err := snapshot.Open(t.Context(), sink, date)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func open(t *testing.T) sinks.Sink { return openAt(t, t.TempDir()) }

func openAt(t testing.TB, path string) sinks.Sink {
	t.Helper()
	sink, err := local.Open(local.Config{Path: path, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return sink
}

// nothing is a spool in which no user was asked.
type nothing struct{ merge.Input }

func (nothing) Blocks() []spool.Block { return nil }

// tonight tells a comparison that user 1 alone is in both groups, which were read whole.
func tonight(ctx context.Context, c *changes.Comparison) error {
	for _, source := range []string{"one", "two"} {
		if err := c.Source(ctx, source); err != nil {
			return err
		}
		for _, g := range []string{"a", "b"} {
			if err := c.Group(g, merge.GroupReading{Asked: true, Whole: true, Roles: true}); err != nil {
				return err
			}
			p := merge.Pair{User: "1", Role: schema.Member, RoleFrom: schema.GroupView}
			p.Named[schema.GroupView], p.Whole[schema.GroupView] = true, true
			if err := c.Pair(&p); err != nil {
				return err
			}
		}
		if err := c.Done(ctx); err != nil {
			return err
		}
	}
	return nil
}

func rows(t *testing.T, c *changes.Comparison) (all []string) {
	t.Helper()
	for row, err := range c.Rows(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprint(row.Source, " ", row.Group, " ", row.User, " ", row.Kind, " ", row.Certain))
	}
	return all
}

func accounts(two string) map[string]changes.Account {
	return map[string]changes.Account{"one": {Type: "vendor", AppID: "app-one"}, "two": {Type: "vendor", AppID: two}}
}

func TestASourceThatAsksAnotherAppIsNotCompared(t *testing.T) {
	t.Parallel()
	sink := open(t)
	s := base(t, sink, "2026-11-20")
	left := func(source string) []string {
		return []string{source + " a 2 left true", source + " a 3 left true", source + " b 2 left true", source + " b 3 left true"}
	}
	for app, want := range map[string][]string{"app-two": append(left("one"), left("two")...), "another": left("one")} {
		scratch := t.TempDir()
		c, err := changes.New(t.Context(), s.Proven(scratch, nil), changes.Night{Input: nothing{}, Accounts: accounts(app)}, changes.Options{Scratch: scratch})
		if err != nil {
			t.Fatal(err)
		}
		if err := tonight(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if got := rows(t, c); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", app, got, want)
		}
		notes := strings.Join(c.Notes(), "; ")
		if told := notes == "two asks another app than on 2026-11-20: its memberships are not compared"; told != (app == "another") {
			t.Errorf("%s: %q", app, notes)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if left, err := os.ReadDir(scratch); err != nil || len(left) > 0 {
			t.Errorf("left over: %v, %v", left, err)
		}
	}
}

// failing is a sink that goes away after so many files were opened.
type failing struct {
	sinks.Sink
	left int
}

func (f *failing) Open(ctx context.Context, path string) (io.ReadCloser, error) {
	if f.left--; f.left < 0 {
		return nil, &fault.Error{Kind: fault.Transient, Message: "the bucket does not answer"}
	}
	return f.Sink.Open(ctx, path)
}

func TestASinkThatGoesAwayStopsTheNightWhereADamagedFileDoesNot(t *testing.T) {
	t.Parallel()
	sink := &failing{Sink: open(t), left: 1 << 30}
	s := base(t, sink, "2026-11-20")
	compare := func() (*changes.Comparison, error) {
		scratch := t.TempDir()
		c, err := changes.New(t.Context(), s.Proven(scratch, nil), changes.Night{Input: nothing{}, Accounts: accounts("app-two")}, changes.Options{Scratch: scratch})
		t.Cleanup(func() { c.Close() })
		if err != nil {
			return c, err
		}
		return c, tonight(t.Context(), c)
	}
	failures := 0
	for ; ; failures++ {
		sink.left = failures
		c, err := compare()
		if err == nil {
			break
		}
		if fault.KindOf(err) != fault.Transient || c.Damage() != nil {
			t.Fatalf("after %d files: %v, damage %v", failures, err, c.Damage())
		}
	}
	if failures < 3 {
		t.Errorf("%d files are opened: the test shows nothing", failures)
	}
	sink.left = 1 << 30
	for i, f := range s.Files {
		if f.Table == "memberships" {
			s.Files[i].SHA256 = strings.Repeat("0", 64)
		}
	}
	c, err := compare()
	if err != nil || c.Damage() == nil || len(rows(t, c)) > 0 {
		t.Errorf("a file with another sum: %v, damage %v", err, c.Damage())
	}
	if n, known := c.Uncovered(); known {
		t.Errorf("%d memberships of a damaged base are said to be uncovered", n)
	}
}
