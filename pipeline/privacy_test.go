package pipeline_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"rollcall/pipeline"
	"rollcall/pipeline/diff"
	"rollcall/pipeline/event"
	"rollcall/pipeline/job"
	"rollcall/pipeline/pseudonym"
	sealed "rollcall/pipeline/snapshot"
	"rollcall/schema"
	"rollcall/schema/fault"
	"rollcall/sinks/local"
	"rollcall/sources/simulated"
)

// veiled asks for pseudonyms of users and groups under one key, and for no details.
func veiled(key string) []job.Column {
	columns := []job.Column{
		{Name: "extra", Drop: true}, {Name: "group_id", Key: schema.Secret(key), Keep: []string{"@TGS#_"}},
		{Name: "name", Drop: true}, {Name: "nickname", Drop: true}, {Name: "user_id", Key: schema.Secret(key)},
	}
	return columns
}

const hmacKey = "a key for tests, of 32 bytes or so"

// disguise makes of rows what should be sealed under a veil: IDs by v, details gone, sorted by the key.
func disguise[Row any](rows []Row, v *pseudonym.Veil) []Row {
	table := schema.TableOf[Row]()
	rows = slices.Clone(rows)
	for i := range rows {
		row := reflect.ValueOf(&rows[i]).Elem()
		for c, column := range table.Columns {
			switch field := row.Field(c); {
			case column.Private == schema.UserID:
				field.SetString(v.User(field.String()))
			case column.Private == schema.GroupID:
				field.SetString(v.Group(field.String()))
			case column.Private == schema.KeyID:
				data := row.FieldByName("Data").String()
				byUser := strings.Contains(data, "user_groups") || strings.Contains(data, "joined_groups")
				field.SetString(v.Key(map[bool]schema.View{true: schema.UserView, false: schema.GroupView}[byUser], field.String()))
			case column.Private == schema.Detail && column.Name != "joined_at" && column.Name != "message":
				field.SetZero()
			}
		}
	}
	slices.SortFunc(rows, func(a, b Row) int {
		x, y := reflect.ValueOf(a), reflect.ValueOf(b)
		for place := range table.Key() {
			at := slices.IndexFunc(table.Columns, func(c schema.Column) bool { return c.Key == place+1 })
			if c := cmp.Compare(x.Field(at).String(), y.Field(at).String()); c != 0 {
				return c
			}
		}
		return 0
	})
	return rows
}

func same[Row any](t *testing.T, what string, plain, got []Row, v *pseudonym.Veil) {
	t.Helper()
	want := disguise(plain, v)
	if len(want) != len(got) {
		t.Errorf("%s: %d rows, %d without pseudonyms", what, len(got), len(want))
		return
	}
	for i := range got {
		if !reflect.DeepEqual(got[i], want[i]) {
			x, _ := json.Marshal(got[i])
			y, _ := json.Marshal(want[i])
			t.Errorf("%s, row %d:\n%s\n%s", what, i, x, y)
			return
		}
	}
}

// TestPseudonymsChangeNothingElse seals the same two nights with and without a veil, and holds every
// table against the other under the veil, changes and discrepancies included.
func TestPseudonymsChangeNothingElse(t *testing.T) {
	t.Parallel()
	world := simulated.New(unlimited(simulated.Options{Seed: 21, Users: 120, Groups: 40, Nasty: true, Disagreements: 2}))
	plain, hidden := newHistory(t, world), newHistory(t, world)
	random := rand.New(rand.NewPCG(9, 9))
	v := pseudonym.New(veiled(hmacKey))
	for _, date := range []string{"2026-11-20", "2026-11-21", "2026-11-22"} {
		a := plain.night(date, func(n *night) { n.everything() })
		b := hidden.night(date, func(n *night) { n.everything().job.Columns = veiled(hmacKey) })
		same(t, "memberships", a.memberships, b.memberships, v)
		same(t, "groups", a.groups, b.groups, v)
		same(t, "users", a.users, b.users, v)
		same(t, "discrepancies", a.discrepancies, b.discrepancies, v)
		same(t, "changes", a.changes, b.changes, v)
		for _, o := range []*[]schema.KeyOutcome{&a.outcomes, &b.outcomes} {
			for i := range *o {
				(*o)[i].AskedAt, (*o)[i].AnsweredAt, (*o)[i].Message = 0, 0, nil
			}
		}
		same(t, "outcomes", a.outcomes, b.outcomes, v)
		if a.Code != b.Code || !maps.Equal(a.Manifest.Changes, b.Manifest.Changes) || !reflect.DeepEqual(a.Manifest.Verdicts, b.Manifest.Verdicts) {
			t.Errorf("%s: the manifests count otherwise:\n%+v\n%+v", date, a.Manifest, b.Manifest)
		}
		if len(a.Manifest.Columns) != 0 || len(b.Manifest.Columns) != 5 {
			t.Errorf("%s: the manifests say %v and %v of columns", date, a.Manifest.Columns, b.Manifest.Columns)
		}
		plain.live(random)
	}
	if len(plain.seals["2026-11-22"].changes) == 0 || len(plain.seals["2026-11-20"].discrepancies) == 0 {
		t.Error("the nights are too quiet to prove anything")
	}
}

func TestAnotherKeyLeavesChangesEmptyAndSaysWhy(t *testing.T) {
	t.Parallel()
	h := newHistory(t, simulated.New(unlimited(simulated.Options{Seed: 3, Users: 20, Groups: 8})))
	other := veiled("another key that is long enough")
	for _, test := range []struct {
		date    string
		columns []job.Column
		why     string
	}{
		{"2026-11-18", nil, ""},
		{"2026-11-19", veiled(hmacKey), "group_id stands as the vendor's IDs in the snapshot of 2026-11-18 and as pseudonyms in this one"},
		{"2026-11-20", other, "group_id stands as pseudonyms of another key in the snapshot of 2026-11-19 (fingerprint "},
		{"2026-11-21", slices.DeleteFunc(slices.Clone(other), func(c job.Column) bool { return c.Drop }), ""}, // what is left out is compared with nothing
		{"2026-11-22", nil, "group_id stands as pseudonyms in the snapshot of 2026-11-21 and as the vendor's IDs in this one"},
	} {
		s := h.night(test.date, func(n *night) { n.everything().job.Columns = test.columns })
		m := s.Manifest
		if test.why == "" && m.ChangesNote == "" {
			continue
		}
		if !strings.HasPrefix(m.ChangesNote, test.why) || test.why == "" || m.ChangesBase != nil || m.ChangesBaseSum != nil || len(s.changes) > 0 {
			t.Errorf("%s: %q, base %v, %d changes", test.date, m.ChangesNote, m.ChangesBase, len(s.changes))
		}
	}
	sink, err := local.Open(local.Config{Path: h.out})
	if err != nil {
		t.Fatal(err)
	}
	open := func(date string) *sealed.Snapshot {
		s, err := sealed.Open(t.Context(), sink, date)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for _, table := range diff.Tables() {
		_, err = diff.Run(t.Context(), open("2026-11-19"), open("2026-11-20"), diff.Options{Table: table, Scratch: t.TempDir()}, func(diff.Difference) error { return nil })
		if fault.KindOf(err) != fault.Configuration || !strings.Contains(fmt.Sprint(err), "pseudonyms of another key") {
			t.Errorf("%s of two keys are compared: %v", table, err)
		}
	}
	if _, err = diff.Run(t.Context(), open("2026-11-20"), open("2026-11-21"), diff.Options{Scratch: t.TempDir()}, func(diff.Difference) error { return nil }); err != nil {
		t.Error(err)
	}
}

// quoting has RongCloud refuse some groups, and name other IDs while it does.
func quoting(n *night, ids []string) {
	n.world.Fault(simulated.Fault{Path: "/entrust/group/member/query.json", Times: 3, Do: simulated.Code(1002, "no "+strings.Join(ids[:4], ", nor "))})
}

// everyID lists what no snapshot behind a veil may hold: IDs of both vendors, nicknames, names of groups.
// Short ones would be found anywhere by chance.
func everyID(world *simulated.World, s snapshot) map[string]bool {
	secrets := map[string]bool{}
	add := func(texts ...string) {
		for _, text := range texts {
			if len(text) >= 5 {
				secrets[text] = true
			}
		}
	}
	for _, app := range []*simulated.App{world.RongCloud, world.Tencent} {
		add(app.UserIDs()...)
		add(app.GroupIDs()...)
	}
	for _, m := range s.memberships {
		add(m.GroupID, m.UserID)
		for _, detail := range []*string{m.Nickname, m.Extra} {
			if detail != nil {
				add(*detail)
			}
		}
	}
	for _, g := range s.groups {
		if g.Name != nil {
			add(*g.Name)
		}
	}
	return secrets
}

// decoded appends every text of every row to what the file says as it lies there.
func decoded[Row any](t *testing.T, content []byte, path string) []byte {
	for _, row := range appendRows[Row](t, nil, path) {
		text, err := json.Marshal(row)
		if err != nil {
			t.Fatal(err)
		}
		content = append(content, text...)
		value := reflect.ValueOf(row)
		for i := range value.NumField() { // JSON escapes
			if field := reflect.Indirect(value.Field(i)); field.IsValid() && field.Kind() == reflect.String {
				content = append(append(content, field.String()...), 0)
			}
		}
	}
	return content
}

func TestNoByteBehindAVeilNamesAnybody(t *testing.T) {
	t.Parallel()
	world := simulated.New(unlimited(simulated.Options{Seed: 5, Users: 60, Groups: 24, Nasty: true}))
	plain := newNight(t, world).everything()
	plain.job.Tolerate.Share = 1
	secrets := everyID(world, plain.sealed())
	delete(secrets, "1 members") // a group is called so, and pages count so

	n := newNight(t, world).everything()
	n.job.Columns, n.job.Report = veiled(hmacKey), true
	var told bytes.Buffer
	listen := func(r *pipeline.Request) {
		r.Listen = func(e event.Event) { fmt.Fprintf(&told, "%+v\n", e) }
	}
	quoting(n, world.RongCloud.UserIDs())
	_, err := n.run(listen) // more is missing than tolerated
	unsealed, ok := errors.AsType[*pipeline.NotSealedError](err)
	if !ok || len(unsealed.Gaps) == 0 {
		t.Fatalf("the vendor refuses nobody: %v", err)
	}
	fmt.Fprintf(&told, "%v %+v\n", err, unsealed.Gaps)
	n.job.Tolerate.Share = 1
	quoting(n, world.RongCloud.UserIDs())
	result, err := n.run(listen)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&told, "%+v\n", result)
	s := n.read(result)
	if !slices.ContainsFunc(s.outcomes, func(o schema.KeyOutcome) bool {
		return o.Message != nil && strings.Contains(*o.Message, "code 1002; the full text may name IDs and is left out")
	}) {
		t.Error("the ledger does not say what was refused")
	}
	left := map[string][]byte{"what was told": told.Bytes()}
	for _, path := range n.visible() {
		full := filepath.Join(n.out, path)
		content, err := os.ReadFile(full)
		if err != nil {
			t.Fatal(err)
		}
		read := map[string]func(*testing.T, []byte, string) []byte{
			"memberships": decoded[schema.Membership], "groups": decoded[schema.Group], "users": decoded[schema.User], "outcomes": decoded[schema.KeyOutcome],
			"discrepancies": decoded[schema.Discrepancy], "changes": decoded[schema.Change], "sources": decoded[schema.SourceFigures],
		}[strings.Split(path, "/")[0]]
		if read != nil {
			content = read(t, content, full)
		}
		left[path] = content
	}
	if len(left) < 9 || len(secrets) < 100 {
		t.Fatalf("%d files and %d IDs are too few to prove anything", len(left), len(secrets))
	}
	for where, content := range left {
		for secret := range secrets {
			if i := bytes.Index(content, []byte(secret)); i >= 0 {
				t.Errorf("%q stands in %s: …%q…", secret, where, content[max(0, i-60):min(len(content), i+60)])
			}
		}
	}
}
