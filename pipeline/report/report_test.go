package report_test

import (
	"bytes"
	"fmt"
	"html"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/dustin/go-humanize"
	"go.uber.org/goleak"

	"rollcall/pipeline/report"
	"rollcall/pipeline/snapshot"
	"rollcall/schema"
	"rollcall/sinks"
	"rollcall/sinks/manifest"
	"rollcall/sinks/sinktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pageOf makes the page about one date.
func pageOf(t testing.TB, sink sinks.Sink, date string) (string, *snapshot.Snapshot) {
	t.Helper()
	s, err := snapshot.Open(t.Context(), sink, date)
	if err != nil {
		t.Fatal(err)
	}
	var page bytes.Buffer
	if err := report.Write(t.Context(), &page, s); err != nil {
		t.Fatal(err)
	}
	return page.String(), s
}

var shownFigure = regexp.MustCompile(`<data value="([^"]*)" data-figure="([^"]*)">([^<]*)</data>`)

// TestEveryFigureIsWhatTheSnapshotHolds recounts each number of a page from tables and manifest.
func TestEveryFigureIsWhatTheSnapshotHolds(t *testing.T) {
	t.Parallel()
	sink := newSink(t)
	w := newWorld(300)
	page, s := pageOf(t, sink, w.seal(t, sink, true))
	write(t, "small", page)
	want := recount(t, s)
	seen := map[string]bool{}
	for _, m := range shownFigure.FindAllStringSubmatch(page, -1) {
		name := html.UnescapeString(m[2])
		n, known := want[name]
		if !known {
			t.Errorf("the page has a figure that nobody recounts: %s", name)
			continue
		}
		seen[name] = true
		if m[1] != strconv.FormatInt(n, 10) || m[3] != humanize.Comma(n) {
			t.Errorf("%s: the page has %s (%s), the snapshot %d", name, m[1], m[3], n)
		}
	}
	for name, n := range want {
		part, _, _ := strings.Cut(name, ".")
		optional := n == 0 || part == "group" || part == "moved" || part == "user" || part == "verdicts"
		if !seen[name] && !optional {
			t.Errorf("the page lacks %s, which is %d", name, n)
		}
	}
	if len(seen) < 150 {
		t.Errorf("only %d figures were recounted", len(seen))
	}
}

// recount counts, by the names of figures, what a page may say.
func recount(t *testing.T, s *snapshot.Snapshot) map[string]int64 {
	t.Helper()
	want := map[string]int64{}
	add := func(n int64, name ...string) { want[strings.Join(name, ".")] += n }
	each(t, s, "memberships", want, func(*schema.Membership) {})
	each(t, s, "sources", want, func(*schema.SourceFigures) {})
	each(t, s, "discrepancies", want, func(*schema.Discrepancy) {})
	each(t, s, "groups", want, func(g *schema.Group) {
		add(1, "verdicts.groups", g.Verdict)
		add(1, "verdicts.groups.total")
		add(g.CollectedMembers, "group", g.Source, g.GroupID, "members")
		add(g.Owners, "group", g.Source, g.GroupID, "owners")
		add(g.Admins, "group", g.Source, g.GroupID, "admins")
		if g.Verdict == "exact" && g.CollectedMembers == 0 {
			add(1, "ownership.empty")
		}
		if g.Verdict == "exact" && g.CollectedMembers > 0 { // read completely, and its members have roles
			add(1, "ownership.judged")
			if g.Owners == 0 {
				add(1, "ownership.ownerless")
			}
		}
	})
	each(t, s, "users", want, func(u *schema.User) {
		add(1, "verdicts.users", u.Verdict)
		add(1, "verdicts.users.total")
		add(u.CollectedGroups, "user", u.Source, u.UserID, "groups")
	})
	each(t, s, "outcomes", want, func(o *schema.KeyOutcome) {
		add(1, "outcomes", o.Data, "total")
		add(1, "outcomes", o.Data, o.Outcome)
		for _, term := range schema.Outcomes() {
			add(0, "outcomes", o.Data, term.Word)
		}
		code := ""
		if o.VendorCode != nil {
			code = *o.VendorCode
		}
		if o.Outcome != "ok" {
			add(1, "reasons", o.Outcome)
			add(1, "reasons", o.Data, o.Outcome, code)
		}
		if o.Outcome == "failed" || o.Outcome == "denied" {
			add(1, "keys.missing")
		}
	})
	each(t, s, "changes", want, func(c *schema.Change) {
		add(1, "changes", c.Change)
		for _, kind := range []string{"joined", "left", "role_changed"} {
			add(0, "moved", c.Source, c.GroupID, kind)
		}
		add(1, "moved", c.Source, c.GroupID, c.Change)
		if !c.Certain {
			add(1, "changes.uncertain")
		}
	})
	recountManifest(s.Manifest, add)
	return want
}

// recountManifest counts what the manifest alone knows.
func recountManifest(m manifest.Manifest, add func(n int64, name ...string)) {
	for _, f := range m.Files {
		add(1, "files", f.Table)
	}
	for _, l := range m.Lists {
		add(l.IDs, "lists", l.Name, "ids")
		add(l.Read, "lists", l.Name, "read")
	}
	for source, endpoints := range m.Requests {
		for name, f := range endpoints {
			for i := range f.Series.Sent {
				add(f.Series.Sent[i], "requests")
				add(f.Series.Sent[i], "requests", source, name, "sent")
				add(f.Series.Throttled[i], "requests", source, name, "throttles")
				add(f.Series.Failed[i], "requests", source, name, "failures")
			}
			add(f.Retries, "requests", source, name, "retries")
		}
	}
}

func each[Row any](t *testing.T, s *snapshot.Snapshot, table string, want map[string]int64, visit func(*Row)) {
	t.Helper()
	for row, err := range snapshot.Rows[Row](t.Context(), s) {
		if err != nil {
			t.Fatal(err)
		}
		want["table."+table]++
		if table == "memberships" || table == "groups" || table == "users" || table == "discrepancies" {
			want["rows."+table]++
		}
		visit(row)
	}
}

func TestTheSameSnapshotGivesTheSamePage(t *testing.T) {
	t.Parallel()
	sink := newSink(t)
	date := newWorld(60).seal(t, sink, true)
	first, _ := pageOf(t, sink, date)
	if again, _ := pageOf(t, sink, date); again != first {
		t.Error("made twice, the page differs")
	}
}

func TestTextOfVendorsTakesNoEffect(t *testing.T) {
	t.Parallel()
	sink := newSink(t)
	page, _ := pageOf(t, sink, newWorld(300).seal(t, sink, true))
	for _, bad := range []string{"<script", "\u202e", "\x1b", "\x07", "javascript:", " style=", "<img", "http://", "https://", "url("} {
		if strings.Contains(page, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
	if want := `&lt;script&gt;alert(1)&lt;/script&gt;&#34;&#39;&amp;\u202eevil\a\x1b[31m`; strings.Count(page, want) < 2 {
		t.Errorf("the page does not show the vendor's text as %q", want)
	}
	if strings.Contains(page, "ZgotmplZ") {
		t.Error("a value stands where the template can't make it safe")
	}
}

func TestAPageStaysSmallHoweverManyGroups(t *testing.T) {
	t.Parallel()
	groups := 300_000
	if testing.Short() {
		groups = 30_000
	}
	sink := newSink(t)
	page, s := pageOf(t, sink, newWorld(groups).seal(t, sink, false))
	if got := s.RowsOf("groups"); got != int64(groups) {
		t.Fatalf("the snapshot has %d groups", got)
	}
	if len(page) > 1<<20 {
		t.Errorf("the page has %d bytes", len(page))
	}
	missing := int64(0)
	for _, outcomes := range s.Outcomes {
		missing += outcomes["failed"] + outcomes["denied"]
	}
	if want := fmt.Sprintf("and %s more: <code>SELECT source, data, key", humanize.Comma(missing-50)); !strings.Contains(page, want) {
		t.Errorf("the page does not say %q", want)
	}
	write(t, "large", page)
}

func TestANightOfWhichLittleIsKnown(t *testing.T) {
	t.Parallel()
	sink := newSink(t)
	sinktest.Seal(t, sink, "2026-11-21", sinktest.Tables{})
	page, _ := pageOf(t, sink, "2026-11-21")
	for _, want := range []string{"Sealed and complete for the lists given", "No vendor gave a total", "Nothing to compare with", "The snapshot has no groups", "Nothing was asked", "The last snapshot<"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	write(t, "empty", page)
}

// write keeps a page for who wants to look at it: ROLLCALL_PAGES names a folder.
func write(t *testing.T, name, page string) {
	t.Helper()
	if folder := os.Getenv("ROLLCALL_PAGES"); folder != "" {
		if err := os.WriteFile(folder+"/"+name+".html", []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestThePageNamesDatesWithoutASnapshot(t *testing.T) {
	t.Parallel()
	sink := newSink(t)
	w := newWorld(60)
	page, _ := pageOf(t, sink, w.seal(t, sink, true))
	if want := ">No snapshot for " + w.date(6) + ".<"; strings.Count(page, want) != 1 || strings.Count(page, "No snapshot") != 1 {
		t.Errorf("the page does not say %q once, or names other dates", want)
	}
}
