package spool_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall/pipeline/spool"
	"rollcall/schema"
	"rollcall/schema/fault"
	"rollcall/sources"
)

func blocks() []spool.Block {
	return []spool.Block{
		{Address: "rongcloud_group_members.all", Source: "rongcloud.prod", View: schema.GroupView},
		{Address: "rongcloud_user_groups.staff", Source: "rongcloud.prod", View: schema.UserView},
		{Address: "tencentchat_group_members.all", Source: "tencentchat.intl", View: schema.GroupView},
	}
}

func open(t *testing.T, o spool.Options) *spool.Spool {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	if o.Blocks == nil {
		o.Blocks = blocks()
	}
	s, err := spool.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func add(t *testing.T, s *spool.Spool, block int, key string, rows ...sources.Row) {
	t.Helper()
	e := spool.Entry{Record: spool.Record{Block: block, Key: key, Generation: 1, Outcome: schema.OK}, Rows: rows, Whole: true}
	if err := s.Add(t.Context(), e); err != nil {
		t.Fatal(err)
	}
}

func flush(t *testing.T, s *spool.Spool) {
	t.Helper()
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// places lists "block group user" of the rows shown.
func places(t *testing.T, s *spool.Spool, f spool.Filter) []string {
	t.Helper()
	c, err := s.Rows(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var all []string
	for c.Next() {
		all = append(all, fmt.Sprint(c.Row().Block, " ", c.Row().Group, " ", c.Row().User))
	}
	if c.Err() != nil {
		t.Fatal(c.Err())
	}
	return all
}

func member(group, user string) sources.Row { return sources.Row{Group: group, User: user} }

func TestAbsentAndEmptyTextsAreKeptApart(t *testing.T) {
	t.Parallel()
	s := open(t, spool.Options{})
	want := sources.Row{
		Group: "g", User: "u", GroupName: schema.SomeText(""), RoleRaw: schema.SomeText("群主"), Role: schema.Owner,
		Joined: schema.Micros{Valid: true}, Extra: schema.SomeText(""), NotMember: true,
	}
	add(t, s, 0, "g", want, member("g", "v"))
	flush(t, s)
	c, err := s.Rows(t.Context(), spool.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, want := range []sources.Row{want, member("g", "v")} {
		if !c.Next() || c.Row().Row != want || !c.Row().Whole {
			t.Errorf("got %+v, want %+v", c.Row(), want)
		}
	}
}

func TestAFilterShowsItsBlocksFromItsPlaceOn(t *testing.T) {
	t.Parallel()
	s := open(t, spool.Options{Memory: 1 << 16})
	for i := range 400 {
		g := fmt.Sprintf("g%03d", i)
		rows := make([]sources.Row, 40)
		for j := range rows {
			rows[j] = member(g, fmt.Sprintf("u%02d", j))
		}
		add(t, s, i%3, g, rows...)
	}
	flush(t, s)
	all := places(t, s, spool.Filter{})
	if len(all) != 16000 {
		t.Fatalf("got %d rows", len(all))
	}
	source := func(row string) string { return blocks()[row[0]-'0'].Source }
	cases := map[string]spool.Filter{
		"one block":                           {Blocks: func(b int) bool { return b == 1 }},
		"a block of the last source":          {Blocks: func(b int) bool { return b == 2 }},
		"no block":                            {Blocks: func(int) bool { return false }},
		"from a group":                        {FromSource: "rongcloud.prod", FromGroup: "g200"},
		"from a group that is not there":      {FromSource: "rongcloud.prod", FromGroup: "g200x"},
		"from a group of the last source":     {FromSource: "tencentchat.intl", FromGroup: "g398"},
		"from after the last group":           {FromSource: "tencentchat.intl", FromGroup: "h"},
		"from a source that is not there":     {FromSource: "s", FromGroup: "g300"},
		"from after the last source":          {FromSource: "z"},
		"from a group, one block":             {FromSource: "rongcloud.prod", FromGroup: "g100", Blocks: func(b int) bool { return b == 0 }},
		"from a group of another source only": {FromSource: "rongcloud.prod", FromGroup: "g300", Blocks: func(b int) bool { return b == 2 }},
	}
	for name, f := range cases {
		t.Run(name, func(t *testing.T) {
			var want []string
			for _, row := range all {
				block, group := int(row[0]-'0'), strings.Fields(row)[1]
				before := source(row) < f.FromSource || source(row) == f.FromSource && group < f.FromGroup
				if !before && (f.Blocks == nil || f.Blocks(block)) {
					want = append(want, row)
				}
			}
			if got := places(t, s, f); !slices.Equal(got, want) {
				t.Errorf("got %d rows, want %d", len(got), len(want))
			}
		})
	}
}

func TestAGroupToldTwiceIsShownOnce(t *testing.T) {
	t.Parallel()
	s := open(t, spool.Options{})
	row := func(user string, name schema.Text) sources.Row {
		return sources.Row{Group: "g", User: user, GroupName: name, GroupType: schema.SomeText("Public")}
	}
	add(t, s, 1, "v", row("v", schema.SomeText("new")))
	flush(t, s)
	add(t, s, 1, "u", row("u", schema.Text{}))
	add(t, s, 0, "g", member("g", "u"))
	flush(t, s)
	add(t, s, 1, "w", row("w", schema.SomeText("née")), row("x", schema.SomeText("new")))
	flush(t, s)
	c, err := s.Groups(t.Context(), spool.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	want := []spool.Group{{Block: 0, ID: "g"}, {Block: 1, ID: "g", Name: schema.SomeText("new"), Type: schema.SomeText("Public")}}
	for _, want := range want {
		if !c.Next() || *c.Group() != want {
			t.Errorf("got %+v, want %+v", c.Group(), want)
		}
	}
	if c.Next() {
		t.Errorf("a group too many: %+v", c.Group())
	}
}

func TestFlushingNothingWritesNothing(t *testing.T) {
	t.Parallel()
	s := open(t, spool.Options{})
	flush(t, s)
	if runs, bytes := s.Size(); runs != 0 || bytes != 0 {
		t.Errorf("%d runs of %d bytes", runs, bytes)
	}
}

func TestASpoolOfOtherBlocksIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, spool.Options{Dir: dir})
	add(t, s, 0, "g", member("g", "u"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := spool.Open(spool.Options{Dir: dir, Blocks: blocks()[1:]})
	if fault.KindOf(err) != fault.Configuration || fault.HintOf(err) == "" || !strings.Contains(err.Error(), "rongcloud_group_members.all") {
		t.Errorf("got %v", err)
	}
	partial := blocks()
	partial[0].Partial = true
	if _, err := spool.Open(spool.Options{Dir: dir, Blocks: partial}); fault.KindOf(err) != fault.Configuration {
		t.Errorf("got %v", err)
	}
	if got := places(t, open(t, spool.Options{Dir: dir}), spool.Filter{}); !slices.Equal(got, []string{"0 g u"}) {
		t.Errorf("got %v", got)
	}
}

func TestBlocksOutOfOrderAreRefused(t *testing.T) {
	t.Parallel()
	unsorted := blocks()
	slices.Reverse(unsorted)
	for _, b := range [][]spool.Block{unsorted, append(blocks(), blocks()[2])} {
		if _, err := spool.Open(spool.Options{Dir: t.TempDir(), Blocks: b}); fault.KindOf(err) != fault.Bug || err == nil {
			t.Errorf("got %v", err)
		}
	}
}

func TestManyMayAddAtOnce(t *testing.T) {
	t.Parallel()
	s := open(t, spool.Options{Memory: 1 << 14})
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			row := make([]sources.Row, 1)
			for i := range 500 {
				id := fmt.Sprintf("%d-%03d", worker, i)
				row[0] = member("g"+id, "u")
				err := s.Add(context.Background(), spool.Entry{Record: spool.Record{Key: id}, Rows: row})
				row[0] = member("reused", "reused")
				if i%100 == 0 {
					err = errors.Join(err, s.Flush(context.Background()))
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	flush(t, s)
	got := places(t, s, spool.Filter{})
	if len(got) != 4000 || !slices.IsSorted(got) || len(slices.Compact(got)) != 4000 {
		t.Errorf("got %d rows, not 4000 distinct ones in order", len(got))
	}
}

func TestACursorKeepsShowingWhatWasThereWhenItWasOpened(t *testing.T) {
	t.Parallel()
	s := open(t, spool.Options{})
	for i := range 15 {
		add(t, s, 0, fmt.Sprintf("g%02d", i), member(fmt.Sprintf("g%02d", i), "u"))
		flush(t, s)
	}
	c, err := s.Rows(t.Context(), spool.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	add(t, s, 0, "g99", member("g99", "u"))
	flush(t, s) // the sixteenth run: all are merged into one
	if err := s.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if runs, _ := s.Size(); runs != 1 {
		t.Fatalf("%d runs are live, want 1", runs)
	}
	n := 0
	for c.Next() {
		n++
	}
	if c.Err() != nil || n != 15 {
		t.Errorf("read %d rows, %v", n, c.Err())
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func TestACancelledCallReturns(t *testing.T) {
	t.Parallel()
	s := open(t, spool.Options{})
	add(t, s, 0, "g", member("g", "u"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Flush(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	flush(t, s)
	if got := places(t, s, spool.Filter{}); len(got) != 1 {
		t.Errorf("got %v", got)
	}
}

func TestADiskThatRefusesStopsTheSpool(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := spool.Open(spool.Options{Dir: dir, Blocks: blocks()})
	if err != nil {
		t.Fatal(err)
	}
	add(t, s, 0, "g", member("g", "u"))
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir, nil, 0o600); err != nil { // where the folder was
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for range 2 {
		if err := s.Flush(ctx); err == nil || fault.KindOf(err) != fault.Bug || fault.HintOf(err) == "" {
			t.Errorf("got %v", err)
		}
	}
	if err := s.Add(ctx, spool.Entry{}); err == nil {
		t.Error("it takes more")
	}
	if err := s.Close(); err == nil {
		t.Error("it closes as if all were well")
	}
}

func TestLeftoversOfACrashAreRemoved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, spool.Options{Dir: dir})
	add(t, s, 0, "g", member("g", "u"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	torn := filepath.Join(dir, "unfinished-run-0000000002-0000000002")
	if err := os.Mkdir(torn, 0o700); err != nil {
		t.Fatal(err)
	}
	open(t, spool.Options{Dir: dir})
	if _, err := os.Stat(torn); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
}
