package tencentchat_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"rollcall/schema"
	"rollcall/sources"
)

// memberPage writes an answer with the members from..to-1 of so many.
func memberPage(total, from, to int) string {
	var rows []string
	for i := from; i < to; i++ {
		rows = append(rows, fmt.Sprintf(`{"Member_Account":"m%05d","Role":"Member"}`, i))
	}
	return fmt.Sprintf(`"MemberNum":%d,"MemberList":[%s]}`, total, strings.Join(rows, ","))
}

// lists is a Caller that answers as a vendor with so many members, or groups, and a total of its own.
type lists struct {
	rows, total int
	asked       int
}

func (l *lists) Call(_ context.Context, e sources.Exchange) error {
	l.asked++
	request, err := e.Build()
	if err != nil {
		return err
	}
	var q struct{ Limit, Offset int }
	if err := json.NewDecoder(request.Body).Decode(&q); err != nil {
		return err
	}
	body := ok + memberPage(l.total, min(q.Offset, l.rows), min(q.Offset+q.Limit, l.rows))
	if strings.HasSuffix(request.URL.Path, "joined_group_list") {
		body = strings.NewReplacer("MemberNum", "TotalCount", "MemberList", "GroupIdList", "Member_Account", "GroupId").Replace(body)
	}
	_, err = e.Read(sources.Answer{Status: http.StatusOK, Body: []byte(body)})
	return err
}

func TestATotalNeverEndsAWalk(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		q                  sources.Question
		rows, total, asked int
	}{
		{members, 260, 200, 2},            // it lags
		{members, 260, 260, 2},            //
		{members, 400, 200, 3},            //
		{members, 400, 400, 3},            // a full last page: only an empty one says that it was the last
		{members, 199, 2_000_000_000, 1},  // it is far too large
		{members, 200, 2_000_000_000, 2},  //
		{members, 0, 0, 1},                //
		{joined, 5600, 5000, 2},           //
		{joined, 5000, 5000, 2},           //
		{joined, 4999, 5000, 1},           //
		{joined, 10_000, 5000, 3},         //
		{joined, 10_001, 1_000_000_00, 3}, //
	} {
		l := &lists{rows: c.rows, total: c.total}
		r, err := config("https://chat.example.com").Open(sources.Environment{Now: time.Now, Random: rand.Uint64}).Ask(t.Context(), l, c.q)
		if err != nil || len(r.Rows) != c.rows || r.Declared != int64(c.total) || l.asked != c.asked {
			t.Errorf("%s: %d of %d rows, total %d of %d, %d requests, want %d, %v", c.q.Data, len(r.Rows), c.rows, r.Declared, c.total, l.asked, c.asked, err)
		}
	}
}

func TestAFilteredWalkEndsAtAnEmptyPageWhateverTheTotal(t *testing.T) {
	t.Parallel()
	q := members
	q.Only = []schema.Role{schema.Owner}
	r, s, err := ask(t, q, ok+`"MemberNum":6000,"MemberList":[{"Member_Account":"a","Role":"Owner"}]}`, ok+`"MemberNum":6000,"MemberList":[]}`)
	if err != nil || len(r.Rows) != 1 || r.Declared != 6000 || !r.Unverified || len(s.asked) != 2 || !strings.Contains(s.asked[1], `"Offset":1,`) {
		t.Errorf("%+v after %d requests, %v", r, len(s.asked), err)
	}
	if r, s, err = ask(t, q, ok+`"MemberNum":6000}`); err != nil || len(r.Rows) > 0 || len(s.asked) != 1 {
		t.Errorf("nobody: %+v after %d requests, %v", r, len(s.asked), err)
	}
}

// filtering is a Caller that answers as a vendor which cuts pages before it filters them by role, or cuts
// the filtered list into pages of less than was asked for.
type filtering struct {
	members    int
	admin      func(i int) bool
	clamp      int // rows of a page of the filtered list; 0: pages are cut first
	asked, end int
}

func (f *filtering) Call(_ context.Context, e sources.Exchange) error {
	f.asked++
	request, err := e.Build()
	if err != nil {
		return err
	}
	var q struct{ Limit, Offset int }
	if err := json.NewDecoder(request.Body).Decode(&q); err != nil {
		return err
	}
	var rows []string
	passed := 0
	for i := range f.members {
		switch {
		case !f.admin(i):
			continue
		case f.clamp == 0 && i >= q.Offset && i < q.Offset+q.Limit, f.clamp > 0 && passed >= q.Offset && passed < q.Offset+f.clamp:
			rows = append(rows, fmt.Sprintf(`{"Member_Account":"m%05d","Role":"Admin"}`, i))
		}
		passed++
	}
	body := fmt.Sprintf(ok+`"MemberNum":%d,"MemberList":[%s]}`, f.members, strings.Join(rows, ","))
	_, err = e.Read(sources.Answer{Status: http.StatusOK, Body: []byte(body)})
	return err
}

func TestAFilteredWalkLosesNobodyOnPagesThatAreNotFull(t *testing.T) {
	t.Parallel()
	q := members
	q.Only = []schema.Role{schema.Admin}
	every := func(n int) func(int) bool { return func(i int) bool { return i%n == 0 } }
	for name, f := range map[string]*filtering{
		"filtered after pages were cut":                 {members: 2000, admin: every(60), end: 14},
		"few, filtered after pages were cut":            {members: 1000, admin: every(150), end: 10},
		"filtered before, in pages of less than wanted": {members: 2000, admin: every(2), clamp: 100, end: 11},
		"filtered before, a row a page":                 {members: 100, admin: every(10), clamp: 1, end: 11},
	} {
		want := 0
		for i := range f.members {
			if f.admin(i) {
				want++
			}
		}
		r, err := config("https://chat.example.com").Open(sources.Environment{Now: time.Now, Random: rand.Uint64}).Ask(t.Context(), f, q)
		if err != nil || len(r.Rows) != want || !r.Unverified || f.asked > f.end {
			t.Errorf("%s: %d of %d rows, unverified %v, %d requests, %v", name, len(r.Rows), want, r.Unverified, f.asked, err)
		}
	}
}

func TestATotalThatChangesWhilePagingIsDrift(t *testing.T) {
	t.Parallel()
	r, _, err := ask(t, members, ok+memberPage(200, 0, 200), ok+strings.Replace(memberPage(201, 200, 201), "201", `"201"`, 1))
	if err != nil || !r.Drifted || r.Declared != 201 || len(r.Rows) != 201 {
		t.Errorf("%d rows of %d, drifted %v, %v", len(r.Rows), r.Declared, r.Drifted, err)
	}
}
