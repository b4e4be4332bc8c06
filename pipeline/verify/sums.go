package verify

import (
	"context"
	"strings"

	"rollcall/pipeline/sorted"
	"rollcall/schema"
)

// sums reads all tables, each once, and holds them against each other. Memberships, groups,
// discrepancies and changes are in one order and are gone through side by side; what must agree by
// user, and the keys that were asked, go through an external sort.
func (c *content) sums(ctx context.Context) error {
	byUser, asked := sorted.New(c.Scratch, c.Memory), sorted.New(c.Scratch, c.Memory)
	byUser.Check, asked.Check = ctx.Err, ctx.Err
	defer byUser.Close()
	defer asked.Close()
	if err := c.outcomes(ctx, asked, byUser); err != nil {
		return err
	}
	if err := c.pairs(ctx, asked, byUser); err != nil {
		return err
	}
	if err := c.people(ctx, byUser); err != nil {
		return err
	}
	c.accounts(ctx)
	return c.err
}

// sum is one agreement between tables. What is found is told only where all of them were read to
// the end and in order: else it would say more about what was not read than about what is wrong.
type sum struct {
	*content
	tables []string
	found  *findings
}

func (c *content) agreement(tables ...string) *sum {
	return &sum{content: c, tables: tables, found: newFindings()}
}

func (s *sum) wrong(format string, args ...any) {
	s.found.add(Sums, partition(s.tables[0], s.snapshot.Date), format, args...)
}

func (s *sum) close() {
	for _, table := range s.tables {
		if s.lacking[table] {
			if s.report.Share == 1 {
				s.note("%s: sums of %s were not looked at, since not all of %s could be read in order", s.snapshot.Date, strings.Join(s.tables, " and "), table)
			}
			return
		}
	}
	s.verifier.found.take(s.found)
}

// What a record of the external sorts says about its user or group.
const (
	aMember      = iota // a membership names the user
	aListed             // the user's own list does
	aKey                // a data block was asked about it
	aListedByKey        // a data block that lists it was
)

// outcomes counts the ledger and keeps the keys that were asked.
func (c *content) outcomes(ctx context.Context, groups, users *sorted.Sorter) error {
	counts := map[string]map[string]int64{}
	for o := range rows(ctx, c, ledger()) {
		if counts[o.Data] == nil {
			counts[o.Data] = map[string]int64{}
		}
		counts[o.Data][o.Outcome]++
		if c.Key == nil {
			continue
		}
		key, known := c.Key(o.Data)
		if !known {
			continue
		}
		to, value := users, byte(aKey)
		if key.Groups {
			to = groups
		}
		if key.Lists {
			value = aListedByKey
		}
		if err := to.Add(pairKey(o.Source, o.Key), []byte{value}); err != nil {
			return full(err)
		}
	}
	s := c.agreement("outcomes")
	defer s.close()
	for data, claimed := range c.snapshot.Outcomes {
		if got, want := words(counts[data]), words(claimed); got != want {
			s.wrong("%.80q was answered %s, and the manifest says %s", data, got, want)
		}
		delete(counts, data)
	}
	for data := range counts {
		s.wrong("%.80q was answered %s, and the manifest does not know it", data, words(counts[data]))
	}
	return c.err
}

func pairKey(a, b string) []byte { return sorted.AppendString(sorted.AppendString(nil, a), b) }

// people holds users against memberships and the keys that were asked.
func (c *content) people(ctx context.Context, byUser *sorted.Sorter) error {
	records, err := byUser.Sort()
	if err != nil {
		return full(err)
	}
	defer records.Close()
	s, asked := c.agreement("users", "memberships"), c.agreement("users", "outcomes")
	said := &reports{cursor: records}
	said.next()
	counts, left := map[string]int64{}, acknowledgedIn(c.snapshot.Manifest, true)
	for u := range rows(ctx, c, users()) {
		counts[u.Verdict]++
		left.take(u.Source, u.UserID, u.Verdict, u.DeclaredGroups, u.CollectedGroups)
		var about report
		for said.ok && said.before(u.Source, u.UserID) {
			said.take(&about)
			s.stranger(asked, &about, "user")
		}
		about = report{source: u.Source, id: u.UserID}
		if said.ok && said.is(u.Source, u.UserID) {
			said.take(&about)
		}
		if about.listed != u.CollectedGroups {
			s.wrong("user %.80q of %s has %d in collected_groups, and %d memberships with in_user_view", u.UserID, u.Source, u.CollectedGroups, about.listed)
		}
		c.standing(asked, about, u.Verdict, "user")
	}
	for said.ok {
		var about report
		said.take(&about)
		s.stranger(asked, &about, "user")
	}
	c.counted("users", counts, c.snapshot.Verdicts.Users)
	c.unfound("users", left)
	s.close()
	asked.close()
	if err := records.Err(); err != nil {
		return full(err)
	}
	return c.err
}

// stranger finds a user or group that has no row of its own.
func (s *sum) stranger(asked *sum, about *report, noun string) {
	if about.members > 0 {
		s.wrong("%s %.80q of %s has memberships, and no row in %s", noun, about.id, about.source, s.tables[0])
	}
	if about.keyed {
		asked.wrong("%s %.80q of %s was asked about, and has no row in %s", noun, about.id, about.source, s.tables[0])
	}
}

// standing holds a verdict against whether a block was asked that can give one.
func (c *content) standing(s *sum, about report, verdict, noun string) {
	if c.Key == nil {
		return
	}
	if unasked := verdict == string(schema.NotAsked); unasked == about.lists {
		if unasked {
			s.wrong("%s %.80q of %s has the verdict not_asked, and outcomes say that it was asked about", noun, about.id, about.source)
		} else {
			s.wrong("%s %.80q of %s has the verdict %s, and outcomes don't say that it was asked about", noun, about.id, about.source, verdict)
		}
	}
}

// counted holds verdicts against the manifest's figures.
func (c *content) counted(table string, counts, claimed map[string]int64) {
	s := c.agreement(table)
	defer s.close()
	if got, want := words(counts), words(claimed); got != want {
		s.wrong("the verdicts are %s, and the manifest says %s", got, want)
	}
}

// accounts holds the sources table against the manifest's figures.
func (c *content) accounts(ctx context.Context) {
	s := c.agreement("sources")
	defer s.close()
	seen := map[string]bool{}
	for row := range rows(ctx, c, sources()) {
		seen[row.Source] = true
		var requests, retries, throttles int64
		for _, f := range c.snapshot.Requests[row.Source] {
			requests, retries, throttles = requests+f.Requests, retries+f.Retries, throttles+f.Throttles
		}
		if requests != row.Requests || retries != row.Retries || throttles != row.Throttles {
			s.wrong("%.80q was sent %d requests, %d retries among them, %d throttled; the manifest says %d, %d and %d", row.Source, row.Requests, row.Retries, row.Throttles, requests, retries, throttles)
		}
	}
	for source := range c.snapshot.Requests {
		if !seen[source] {
			s.wrong("the manifest knows the source %.80q, which has no row", source)
		}
	}
}

// report is what the records of an external sort say about one user or group.
type report struct {
	source, id      string
	members, listed int64
	keyed, lists    bool
}

// reports goes through them, by source, then ID.
type reports struct {
	cursor     *sorted.Cursor
	ok         bool
	source, id string
	value      byte
}

func (r *reports) next() {
	if r.ok = r.cursor.Next(); !r.ok {
		return
	}
	source, rest, err := sorted.CutString(r.cursor.Key())
	if err == nil {
		r.source = string(source)
		source, _, err = sorted.CutString(rest)
		r.id = string(source)
	}
	r.value = r.cursor.Value()[0]
	r.ok = err == nil
}

func (r *reports) before(source, id string) bool {
	return primary{r.source, r.id}.compare(primary{source, id}) < 0
}

func (r *reports) is(source, id string) bool { return r.source == source && r.id == id }

// take adds up all that is said about the user or group at which r stands, and moves past it.
func (r *reports) take(about *report) {
	*about = report{source: r.source, id: r.id}
	for ; r.ok && r.is(about.source, about.id); r.next() {
		switch r.value {
		case aMember:
			about.members++
		case aListed:
			about.members++
			about.listed++
		case aKey:
			about.keyed = true
		case aListedByKey:
			about.keyed, about.lists = true, true
		}
	}
}
