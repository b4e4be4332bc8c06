package pseudonym_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"rollcall/pipeline/job"
	"rollcall/pipeline/merge"
	"rollcall/pipeline/pseudonym"
	"rollcall/pipeline/spool"
	"rollcall/schema"
	"rollcall/schema/fault"
	"rollcall/sinks/manifest"
	"rollcall/sources"
)

const key = "0123456789abcdef"

func both(key schema.Secret) []job.Column {
	return []job.Column{{Name: "group_id", Key: key, Keep: []string{"@TGS#_"}}, {Name: "user_id", Key: key}}
}

// plain is the pseudonym as the documentation has it.
func plain(column, id string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(column + "\x00" + id))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

func TestPseudonyms(t *testing.T) {
	t.Parallel()
	v := pseudonym.New(both(key))
	for range 2 { // the same again
		if got := v.User("u1"); got != plain("user_id", "u1") {
			t.Errorf("user %s", got)
		}
		if got := v.Group("u1"); got != plain("group_id", "u1") || got == v.User("u1") {
			t.Errorf("a group and a user share a pseudonym: %s", got)
		}
		if got := v.Group("@TGS#_abc"); got != "@TGS#_"+plain("group_id", "@TGS#_abc") {
			t.Errorf("a community's kind is lost: %s", got)
		}
	}
	if v.Key(schema.UserView, "u1") != v.User("u1") || v.Key(schema.RoleView, "u1") != v.Group("u1") {
		t.Error("the ledger's keys are others than the tables'")
	}
	if v.Sum("ab") == "ab" || len(v.Sum("ab")) != 64 || v.Sum("ab") == v.Sum("ac") {
		t.Errorf("a list's fingerprint could be guessed: %s", v.Sum("ab"))
	}
	one := pseudonym.New([]job.Column{{Name: "user_id", Key: key}})
	if one.Group("g") != "g" || one.User("g") == "g" {
		t.Error("a column alone takes the other with it")
	}
	said := fmt.Sprintf("%+v %#v %v", both(key), both(key), pseudonym.New(both(key)).Columns())
	if strings.Contains(said, key) {
		t.Errorf("the key is shown: %s", said)
	}
}

func TestNoVeilDoesNothing(t *testing.T) {
	t.Parallel()
	v := pseudonym.New(nil)
	in, err := &world{}, errors.New(`of "u1"`)
	if v != nil || v.Input(in, pseudonym.Options{}) != merge.Input(in) || v.User("u") != "u" || v.Group("g") != "g" || v.Sum("s") != "s" || v.Code("c") != "c" ||
		v.Message(schema.Gone, "1", "m") != "m" || v.Hide(err) != err || v.Columns() != nil || v.From("user_id") != "" {
		t.Error("a configuration without columns changes something")
	}
}

func TestWordsNameNobody(t *testing.T) {
	t.Parallel()
	v := pseudonym.New(both(key))
	for _, outcome := range []schema.Outcome{schema.Gone, schema.Unsupported, schema.Denied, schema.Failed} {
		got := v.Message(outcome, "25410", `no group "g1" for u1`)
		if strings.Contains(got, "g1") || strings.Contains(got, "u1") || !strings.Contains(got, "code 25410") {
			t.Errorf("%s: %s", outcome, got)
		}
	}
	if v.Message(schema.OK, "", "") != "" || v.Code("u1") != "" || v.Code("-42") != "-42" {
		t.Error("words where there were none, or an ID for a code")
	}
	if got := pseudonym.New([]job.Column{{Name: "message", Drop: true}}).Message(schema.Gone, "1", "m"); got != "" {
		t.Errorf("a message that is left out says %q", got)
	}
	cause := &fault.Error{Kind: fault.Credentials, Message: `refused user "u\"1", code 70, "u1 is not you"`, Hint: "check the key"}
	hidden := v.Hide(fmt.Errorf("block: %w", cause))
	if hidden.Error() != "block: refused user (left out), code 70, (left out)" || fault.KindOf(hidden) != fault.Credentials || !errors.Is(hidden, cause) {
		t.Errorf("%v", hidden)
	}
	if clean := errors.New("a disk is full"); v.Hide(clean) != clean {
		t.Error("an error without quotes is changed")
	}
}

func TestWhatCanBeCompared(t *testing.T) {
	t.Parallel()
	a, b := pseudonym.New(both(key)), pseudonym.New(both("fedcba9876543210"))
	for _, c := range []struct {
		x, y map[string]manifest.Column
		why  string
	}{
		{nil, nil, ""},
		{a.Columns(), a.Columns(), ""},
		{a.Columns(), b.Columns(), "group_id stands as pseudonyms of another key in A"},
		{a.Columns(), nil, "group_id stands as pseudonyms in A and as the vendor's IDs in B"},
		{nil, a.Columns(), "group_id stands as the vendor's IDs in A and as pseudonyms in B"},
		{nil, pseudonym.New([]job.Column{{Name: "nickname", Drop: true}}).Columns(), ""},
	} {
		if got := pseudonym.Differ(c.x, c.y, "A", "B"); !strings.HasPrefix(got, c.why) || (got == "") != (c.why == "") {
			t.Errorf("%v and %v: %q, want %q", c.x, c.y, got, c.why)
		}
	}
	for _, c := range []struct {
		v    *pseudonym.Veil
		in   map[string]manifest.Column
		id   string
		want pseudonym.Found
	}{
		{a, nil, "u1", pseudonym.Plain}, {nil, nil, "u1", pseudonym.Plain}, {nil, a.Columns(), "u1", pseudonym.NoKey},
		{a, a.Columns(), a.User("u1"), pseudonym.Made}, {b, a.Columns(), "", pseudonym.OtherKey}, {pseudonym.New(both("")), a.Columns(), "u1", pseudonym.NoKey},
	} {
		if id, how := c.v.Find(c.in, "user_id", "u1"); id != c.id || how != c.want {
			t.Errorf("found %q, %v, want %q, %v", id, how, c.id, c.want)
		}
	}
}

// world is a spool's input from slices, or as many made-up memberships, each seen by both views.
type world struct {
	rows    []spool.Row
	groups  []spool.Group
	records []spool.Record
	blocks  []spool.Block
	opened  int
}

type slice[Row any] struct {
	in   *world
	rows []Row
	at   int
	err  error
}

func (s *slice[Row]) Next() bool   { s.at++; return s.at <= len(s.rows) }
func (s *slice[Row]) Row() *Row    { return &s.rows[s.at-1] }
func (s *slice[Row]) Err() error   { return s.err }
func (s *slice[Row]) Close() error { s.in.opened--; return nil }

func (w *world) Blocks() []spool.Block { return w.blocks }

func (w *world) Rows(context.Context, []int) (merge.Cursor[spool.Row], error) {
	w.opened++
	return &slice[spool.Row]{in: w, rows: w.rows}, nil
}

func (w *world) Groups(context.Context, []int) (merge.Cursor[spool.Group], error) {
	w.opened++
	return &slice[spool.Group]{in: w, rows: w.groups}, nil
}

func (w *world) Records(_ context.Context, block int) (merge.Cursor[spool.Record], error) {
	w.opened++
	return &slice[spool.Record]{in: w, rows: slices.DeleteFunc(slices.Clone(w.records), func(r spool.Record) bool { return r.Block != block })}, nil
}

// small has every field set and every field absent, and rows that share their key.
func small() *world {
	w := &world{blocks: []spool.Block{{Address: "a", Source: "s", View: schema.GroupView}, {Address: "b", Source: "s", View: schema.UserView}}}
	for _, group := range []string{"@TGS#_a", "g1", "g2", "群"} {
		for _, user := range []string{"a\x00b", "u1", "u2"} {
			full := spool.Row{Block: 1, Whole: true, Row: sources.Row{
				Group: group, User: user, Role: schema.Admin, RoleRaw: schema.SomeText("2"), NotMember: true, Nickname: schema.SomeText(""),
				Joined: schema.Micros{Value: -5, Valid: true}, Extra: schema.SomeText("x" + user), GroupType: schema.SomeText("T"),
			}}
			twin := full
			twin.Nickname = schema.SomeText("second")
			w.rows = append(w.rows, spool.Row{Row: sources.Row{Group: group, User: user}}, full, twin)
		}
		w.groups = append(w.groups, spool.Group{Block: 0, ID: group}, spool.Group{Block: 1, ID: group, Name: schema.SomeText(group), Type: schema.SomeText("")})
		for generation := 1; generation < 3; generation++ {
			w.records = append(w.records, spool.Record{Block: 0, Key: group, Generation: generation, Outcome: schema.OK, Verdict: schema.Exact, Rows: 1, Declared: -1, Requests: 2, Attempts: 3, Replaced: 4, Cut: 7, AskedAt: 5, AnsweredAt: 6},
				spool.Record{Block: 1, Key: group, Generation: generation, Outcome: schema.Failed, Verdict: schema.VerdictFailed, Code: "7", Message: "of " + group})
		}
	}
	return w
}

func all[Row any](t *testing.T, c merge.Cursor[Row], err error) (rows []Row) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	for c.Next() {
		rows = append(rows, *c.Row())
	}
	if err := errors.Join(c.Err(), c.Close()); err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestRowsComeInTheOrderOfTheirPseudonyms(t *testing.T) {
	t.Parallel()
	for name, columns := range map[string][]job.Column{
		"both": both(key), "users": {{Name: "user_id", Key: key}}, "groups": {{Name: "group_id", Key: key}},
		"details": {{Name: "nickname", Drop: true}, {Name: "extra", Drop: true}, {Name: "name", Drop: true}, {Name: "joined_at", Drop: true}, {Name: "message", Drop: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, v := small(), pseudonym.New(columns)
			in := v.Input(w, pseudonym.Options{Scratch: t.TempDir(), Memory: 32 << 20})
			details := len(columns) == 5

			want := slices.Clone(w.rows)
			for i := range want {
				r := &want[i]
				if r.Group, r.User = v.Group(r.Group), v.User(r.User); details {
					r.Nickname, r.Extra, r.Joined = schema.Text{}, schema.Text{}, schema.Micros{}
				}
			}
			slices.SortStableFunc(want, func(a, b spool.Row) int {
				return slices.Compare([]string{a.Group, a.User, fmt.Sprint(a.Block)}, []string{b.Group, b.User, fmt.Sprint(b.Block)})
			})
			rows, err := in.Rows(t.Context(), []int{0, 1})
			if got := all(t, rows, err); !slices.Equal(got, want) {
				t.Errorf("rows:\n%+v\n%+v", got, want)
			}

			groups, err := in.Groups(t.Context(), []int{0, 1})
			got := all(t, groups, err)
			if len(got) != len(w.groups) || !slices.IsSortedFunc(got, func(a, b spool.Group) int {
				return slices.Compare([]string{a.ID, fmt.Sprint(a.Block)}, []string{b.ID, fmt.Sprint(b.Block)})
			}) || !slices.ContainsFunc(got, func(g spool.Group) bool {
				return g.ID == v.Group("群") && g.Block == 1 && g.Name.Valid != details && g.Type.Valid
			}) {
				t.Errorf("groups: %+v", got)
			}

			for block := range w.blocks {
				records, err := in.Records(t.Context(), block)
				got := all(t, records, err)
				if len(got) != 8 || !slices.IsSortedFunc(got, func(a, b spool.Record) int {
					return slices.Compare([]string{a.Key, fmt.Sprint(a.Generation)}, []string{b.Key, fmt.Sprint(b.Generation)})
				}) {
					t.Errorf("records: %+v", got)
				}
				at := slices.IndexFunc(got, func(r spool.Record) bool { return r.Key == v.Key(w.blocks[block].View, "g1") && r.Generation == 2 })
				if at < 0 || block == 0 && got[at] != (spool.Record{Block: 0, Key: got[at].Key, Generation: 2, Outcome: schema.OK, Verdict: schema.Exact, Rows: 1, Declared: -1, Requests: 2, Attempts: 3, Replaced: 4, Cut: 7, AskedAt: 5, AnsweredAt: 6}) {
					t.Errorf("the record of g1: %+v", got)
				}
				for _, r := range got {
					if block == 1 && strings.Contains(r.Message, "g1") {
						t.Errorf("a message names the group: %+v", r)
					}
				}
			}
			if w.opened != 0 {
				t.Errorf("%d cursors stay open", w.opened)
			}
		})
	}
}

// broken fails at its end.
type broken struct{ *world }

func (b broken) Rows(context.Context, []int) (merge.Cursor[spool.Row], error) {
	b.opened++
	return &slice[spool.Row]{in: b.world, rows: b.rows, err: errors.New("the disk is gone")}, nil
}

func TestADamagedSpoolAndAStopAreTold(t *testing.T) {
	t.Parallel()
	w, v := small(), pseudonym.New(both(key))
	in := v.Input(broken{w}, pseudonym.Options{Scratch: t.TempDir(), Memory: 1 << 20})
	if _, err := in.Rows(t.Context(), nil); err == nil || err.Error() != "the disk is gone" {
		t.Errorf("%v", err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err := in.Records(stopped, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if w.opened != 0 {
		t.Errorf("%d cursors stay open", w.opened)
	}
}
