package wire

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"rollcall/schema"
	"rollcall/schema/fault"
	"rollcall/sources"
)

func collector(change func(*Collector)) *Collector {
	c := &Collector{Subject: Subject{Vendor: "V", Data: "members", Key: `group "g"`}, ID: func(r *sources.Row) string { return r.User }, Totals: true}
	if change != nil {
		change(c)
	}
	c.Begin()
	return c
}

func row(user, role string) sources.Row {
	r := sources.Row{Group: "g", User: user}
	if role != "" {
		r.RoleRaw = schema.SomeText(role)
	}
	return r
}

func TestAKeyHasABoundedNumberOfRows(t *testing.T) {
	t.Parallel()
	c := collector(nil)
	if c.most != 20_000_000 {
		t.Errorf("a key may have %d rows", c.most)
	}
	c.most = 10
	for i := range 10 {
		if err := c.Take(Page{Rows: []sources.Row{row(fmt.Sprint(i), "")}, Listed: true, Total: 5}); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Take(Page{Rows: []sources.Row{row("3", "")}, Listed: true, Total: 5}); err != nil {
		t.Errorf("a row that was there before: %v", err)
	}
	err := c.Take(Page{Rows: []sources.Row{row("new", "")}, Listed: true, Total: 5})
	if fault.KindOf(err) != fault.Item || !strings.Contains(err.Error(), "more than 10 rows") {
		t.Errorf("one more: %v", err)
	}
}

// Room is made for what came, never for what was declared.
func TestATotalMakesNoRoom(t *testing.T) {
	t.Parallel()
	c := collector(nil)
	if err := c.Take(Page{Rows: []sources.Row{row("a", "")}, Listed: true, Total: math.MaxInt64}); err != nil || cap(c.Rows) > 8 {
		t.Errorf("room for %d rows, %v", cap(c.Rows), err)
	}
}

func TestAWalkMayBringNothingNewForSoManyPages(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		filtered bool
		total    int64
		pages    int
	}{
		{false, 0, 3}, {false, 1_000_000, 3}, {false, math.MaxInt64, 3},
		{true, 0, 50}, {true, 99, 50}, {true, 100, 51}, {true, 1_000_000, 10_050}, {true, 1_000_001, 10_050}, {true, math.MaxInt64, 10_050},
	} {
		w := collector(func(w *Collector) { w.Filtered = c.filtered })
		pages := 0
		for {
			if err := w.Take(Page{Listed: true, Total: c.total}); err != nil {
				t.Fatal(err)
			}
			pages++
			if err := w.Advancing(); err != nil {
				if fault.KindOf(err) != fault.Item || !strings.Contains(err.Error(), "advance") {
					t.Errorf("%v", err)
				}
				break
			}
		}
		if pages != c.pages {
			t.Errorf("filtered %v, a total of %d: %d pages, want %d", c.filtered, c.total, pages, c.pages)
		}
	}
}

func TestARoleIsTakenFromNoPlaceInTheList(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b       string
		rolesAsked bool
		role       string // empty: contradictory
	}{
		{"Owner", "Owner", false, "Owner"}, {"Owner", "Member", false, ""}, {"Member", "Owner", false, ""},
		{"Owner", "", false, "Owner"}, {"", "Owner", false, "Owner"}, {"", "Owner", true, ""}, {"Owner", "", true, ""}, {"Owner", "Owner", true, "Owner"},
	} {
		w := collector(func(w *Collector) { w.RolesAsked = c.rolesAsked })
		err := w.Take(Page{Rows: []sources.Row{row("u", c.a), row("u", c.b)}, Listed: true, Total: 1})
		if (err == nil) != (c.role != "") || err != nil && fault.KindOf(err) != fault.Transient || err == nil && w.Rows[0].RoleRaw.Value != c.role {
			t.Errorf("%q and %q, roles asked %v: %+v, %v", c.a, c.b, c.rolesAsked, w.Rows, err)
		}
	}
}

func TestAnEchoIsReadInEachShape(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Echo{
		`"10"`: {Asked: "10", Matched: true}, `10`: {Asked: "10", Matched: true}, `""`: {Asked: "10"}, `null`: {Asked: "10"}, `[10]`: {Asked: "10"}, `{}`: {Asked: "10"}, `true`: {Asked: "10"},
		`"1"`: {Asked: "10", Other: "1"}, `10.0`: {Asked: "10", Other: "10.0"}, `" 10"`: {Asked: "10", Other: " 10"}, `"\u0031\u0030"`: {Asked: "10", Matched: true},
	} {
		echo := Echo{Asked: "10"}
		if _, err := Decode([]byte(`{"v":`+text+`}`), func(d *Decoder, _ []byte) { echo.See(d.Echo()) }); err != nil || echo != want {
			t.Errorf("%s is %+v, %v", text, echo, err)
		}
	}
}
