package verify_test

import (
	"slices"
	"testing"

	"rollcall/pipeline/verify"
	"rollcall/schema"
	"rollcall/sinks/manifest"
)

// forgedRows changes rows of each table, and refits file, manifest and chain, so that nothing but
// the rows themselves can tell.
func forgedRows(t *testing.T, h *history, night string) {
	yes := true
	sums := func(table, message string) want { return want{verify.Sums, folder(table, night), message} }
	at := func(kind verify.Kind, table, message string) want {
		return want{kind, part(table, night), message}
	}
	for name, c := range map[string]struct {
		forge func(*testing.T, *history)
		want  []want
	}{
		"rows in another order": {
			func(t *testing.T, h *history) {
				forge(t, h, night, func(rows []schema.User) []schema.User { rows[2], rows[3] = rows[3], rows[2]; return rows })
			},
			[]want{at(verify.Unsorted, "users", "comes after")},
		},
		"a row twice": {
			func(t *testing.T, h *history) {
				forge(t, h, night, func(rows []schema.KeyOutcome) []schema.KeyOutcome { return slices.Insert(rows, 3, rows[3]) })
			},
			[]want{at(verify.Duplicate, "outcomes", "stands there twice"), at(verify.Figures, "outcomes", "its manifest says"), sums("outcomes", "was answered")},
		},
		"the first row gone": {
			func(t *testing.T, h *history) { forge(t, h, night, dropFirst[schema.Group]) },
			[]want{at(verify.Figures, "groups", "its first key is"), sums("groups", "no row in groups")},
		},
		"the last row gone": {
			func(t *testing.T, h *history) {
				forge(t, h, night, func(rows []schema.Membership) []schema.Membership { return rows[:len(rows)-1] })
			},
			[]want{at(verify.Figures, "memberships", "its last key is"), sums("groups", "collected_members")},
		},
		"a member who is seen": {
			func(t *testing.T, h *history) {
				forge(t, h, night, func(rows []schema.Membership) []schema.Membership {
					i := slices.IndexFunc(rows, func(m schema.Membership) bool { return m.InGroupView == nil || !*m.InGroupView })
					rows[i].InGroupView = &yes
					return rows
				})
			},
			[]want{sums("groups", "in collected_members, and")},
		},
		"a member's list": {
			func(t *testing.T, h *history) {
				forge(t, h, night, first(func(m *schema.Membership) { m.InUserView = nil }))
			},
			[]want{sums("users", "in collected_groups, and")},
		},
		"an owner made up": {
			func(t *testing.T, h *history) {
				forge(t, h, night, func(rows []schema.Membership) []schema.Membership {
					i := slices.IndexFunc(rows, func(m schema.Membership) bool { return m.Role != nil && *m.Role == "member" })
					owner := "owner"
					rows[i].Role = &owner
					return rows
				})
			},
			[]want{sums("groups", "in owners, and")},
		},
		"a role that is none": {
			func(t *testing.T, h *history) {
				forge(t, h, night, func(rows []schema.Membership) []schema.Membership {
					i := slices.IndexFunc(rows, func(m schema.Membership) bool { return m.Role != nil && *m.Role == "member" })
					boss := "boss"
					rows[i].Role = &boss
					return rows
				})
			},
			[]want{at(verify.Values, "memberships", `the role "boss"`)},
		},
		"a user hidden": {
			func(t *testing.T, h *history) {
				forge(t, h, night, func(rows []schema.User) []schema.User { return slices.Delete(rows, 5, 6) })
			},
			[]want{at(verify.Figures, "users", "its manifest says"), sums("users", "no row in users")},
		},
		"a verdict embellished": {
			func(t *testing.T, h *history) {
				forge(t, h, night, func(rows []schema.Group) []schema.Group {
					i := slices.IndexFunc(rows, func(g schema.Group) bool { return g.Verdict != "exact" && g.Verdict != "not_asked" })
					rows[i].Verdict = "exact"
					return rows
				})
			},
			[]want{sums("groups", "the verdicts are")},
		},
		"a group never asked": {
			func(t *testing.T, h *history) {
				forge(t, h, night, first(func(g *schema.Group) { g.Verdict = "not_asked" }))
			},
			[]want{sums("groups", "outcomes say that it was asked about")},
		},
		"an outcome embellished": {
			func(t *testing.T, h *history) {
				forge(t, h, night, first(func(o *schema.KeyOutcome) { o.Outcome = "failed" }))
			},
			[]want{sums("outcomes", "failed 1")},
		},
		"a discrepancy hidden": {
			func(t *testing.T, h *history) { forge(t, h, night, dropFirst[schema.Discrepancy]) },
			[]want{at(verify.Figures, "discrepancies", "its manifest says"), sums("discrepancies", "is disputed, and has no discrepancy")},
		},
		"a dispute hidden": {
			func(t *testing.T, h *history) {
				forge(t, h, night, func(rows []schema.Membership) []schema.Membership {
					rows[slices.IndexFunc(rows, func(m schema.Membership) bool { return m.Disputed })].Disputed = false
					return rows
				})
			},
			[]want{sums("discrepancies", "and is not disputed")},
		},
		"a discrepancy made up": {
			func(t *testing.T, h *history) {
				forge(t, h, night, first(func(d *schema.Discrepancy) { d.UserID += "x" }))
			},
			[]want{sums("discrepancies", "has a discrepancy, and no membership"), at(verify.Figures, "discrepancies", "its first key is")},
		},
		"a change made up": {
			func(t *testing.T, h *history) {
				forge(t, h, night, func([]schema.Change) []schema.Change {
					return []schema.Change{{Source: "rongcloud.test", GroupID: "nowhere", UserID: "nobody", Change: "joined"}}
				})
			},
			[]want{at(verify.Figures, "changes", "its manifest says"), sums("changes", "nowhere")},
		},
		"requests that were not counted": {
			func(t *testing.T, h *history) {
				forge(t, h, night, first(func(s *schema.SourceFigures) { s.Requests++ }))
			},
			[]want{sums("sources", "requests")},
		},
		"a column of another type": {
			func(t *testing.T, h *history) {
				type user struct {
					Source          string `parquet:"source,dict,id(1)"`
					UserID          string `parquet:"user_id,plain,id(9)"`
					DeclaredGroups  *int64 `parquet:"declared_groups,plain,id(3)"`
					CollectedGroups *int64 `parquet:"collected_groups,plain,id(4)"`
					Verdict         string `parquet:"verdict,dict,id(5)"`
				}
				rewrite(t, h, part("users", night), func(rows []user) []user { return rows })
				h.refit(t, night, part("users", night))
				h.relink(t, night)
			},
			[]want{
				at(verify.Schema, "users", "column user_id has the field ID 9, not 2"), at(verify.Schema, "users", "column collected_groups is nullable, and not so in the table"),
				at(verify.Schema, "users", "does not say that it is sorted"),
			},
		},
		"no Parquet at all": {
			func(t *testing.T, h *history) {
				h.write(t, part("groups", night), []byte("PAR1 it is not"))
				h.refit(t, night, part("groups", night))
				h.relink(t, night)
			},
			[]want{at(verify.Unreadable, "groups", "read a Parquet file")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := h.copied(t)
			c.forge(t, h)
			wantNoChain(t, h.verified(t, func(o *verify.Options) { o.All, o.Date = false, night }), c.want)
		})
	}
}

// wantNoChain demands findings about the night, and none about the chain.
func wantNoChain(t *testing.T, report verify.Report, wanted []want) {
	t.Helper()
	loose := slices.Clone(wanted)
	for _, f := range report.Findings {
		if f.Kind == verify.Sums || f.Kind == verify.Figures { // what contradicts one table contradicts others
			loose = append(loose, want{f.Kind, f.Path, f.Message})
		}
	}
	check(t, report, loose...)
}

// forgedFigures changes what a manifest claims, and relinks the chain.
func forgedFigures(t *testing.T, h *history, night string) {
	path := manifest.Path(night)
	data := "rongcloud_group_members.all"
	for name, c := range map[string]struct {
		edit func(*manifest.Manifest)
		want []want
	}{
		"exit code":    {func(m *manifest.Manifest) { m.ExitCode = 3 - m.ExitCode }, []want{{verify.Figures, path, "its exit code is"}}},
		"outcomes":     {func(m *manifest.Manifest) { m.Outcomes[data]["ok"]++ }, []want{{verify.Figures, path, "outcomes, and its files have"}, {verify.Sums, folder("outcomes", night), data}}},
		"another word": {func(m *manifest.Manifest) { m.Outcomes[data]["gone"]++; m.Outcomes[data]["ok"]-- }, []want{{verify.Sums, folder("outcomes", night), data}}},
		"block hidden": {func(m *manifest.Manifest) { delete(m.Outcomes, data) }, []want{{verify.Figures, path, "outcomes, and its files have"}, {verify.Sums, folder("outcomes", night), "does not know it"}}},
		"verdicts":     {func(m *manifest.Manifest) { m.Verdicts.Groups["exact"]-- }, []want{{verify.Figures, path, "groups, and its files have"}, {verify.Sums, folder("groups", night), "the verdicts are"}}},
		"users":        {func(m *manifest.Manifest) { m.Verdicts.Users["gone"]++ }, []want{{verify.Figures, path, "users, and its files have"}, {verify.Sums, folder("users", night), "the verdicts are"}}},
		"dispute":      {func(m *manifest.Manifest) { m.Discrepancies-- }, []want{{verify.Figures, path, "discrepancies, and its files have"}}},
		"requests": {func(m *manifest.Manifest) {
			f := m.Requests["rongcloud.test"]["group_members"]
			f.Requests--
			m.Requests["rongcloud.test"]["group_members"] = f
		}, []want{{verify.Sums, folder("sources", night), "requests"}}},
		"roles":          {func(m *manifest.Manifest) { m.Roles["tencentchat.test"]["Owner"]-- }, []want{{verify.Sums, folder("memberships", night), "with a role"}}},
		"changes":        {func(m *manifest.Manifest) { m.Changes["left"]++ }, []want{{verify.Figures, path, "changes, and its files have"}, {verify.Sums, folder("changes", night), "by kind"}}},
		"another change": {func(m *manifest.Manifest) { m.Changes["left"]++; m.Changes["joined"]-- }, []want{{verify.Sums, folder("changes", night), "by kind"}}},
		"certainty":      {func(m *manifest.Manifest) { m.ChangesUncertain++ }, []want{{verify.Sums, folder("changes", night), "not certain"}}},
		"role counts":    {func(m *manifest.Manifest) { m.RoleCounts["owner"]++; m.RoleCounts["member"]-- }, []want{{verify.Sums, folder("memberships", night), "by role"}}},
		"base":           {func(m *manifest.Manifest) { later := "2026-11-30"; m.ChangesBase = &later }, []want{{verify.Figures, path, "which is not before"}}},
		"sum of the base": {func(m *manifest.Manifest) {
			other := m.Files[0].SHA256
			m.ChangesBaseSum = &other
		}, []want{{verify.Resealed, manifest.Path("2026-11-20"), "compared with it when its SHA-256 was"}}},
		"ownerless": {func(m *manifest.Manifest) { m.Ownership.Ownerless++ }, []want{{verify.Sums, folder("groups", night), "whose owner can be told"}}},
		"empty":     {func(m *manifest.Manifest) { *m.Ownership.Empty++ }, []want{{verify.Sums, folder("groups", night), "are empty; the manifest says"}}},
		"acknowledged": {func(m *manifest.Manifest) {
			m.Verdicts.Groups["exact"]--
			m.Verdicts.Groups["short"]++
			m.Acknowledged = []manifest.Acknowledged{{Verdict: "short", Source: "rongcloud.test", Groups: []string{"g000001"}, Declared: []*int64{nil}, Collected: []int64{3}, Until: "2027-03-01", Reason: "none"}}
		}, []want{{verify.Sums, folder("groups", night), "the verdicts are"}, {verify.Sums, folder("groups", night), `acknowledges "g000001" of rongcloud.test as short, and no row says so`}}},
		"rows":  {func(m *manifest.Manifest) { m.Files[5].Rows++ }, []want{{verify.Figures, part("sources", night), "its manifest says 3"}}},
		"key":   {func(m *manifest.Manifest) { m.Files[5].MinKey = []string{"a"} }, []want{{verify.Figures, part("sources", night), `manifest says ["a"]`}}},
		"table": {func(m *manifest.Manifest) { m.Files[5].Table = "users" }, []want{{verify.Misplaced, part("sources", night), "of the table"}, {verify.Figures, path, "no file of the table sources"}}},
	} {
		t.Run(name, func(t *testing.T) {
			h := h.copied(t)
			h.edit(t, night, c.edit)
			h.relink(t, night)
			report := h.verified(t, func(o *verify.Options) { o.All, o.Date = false, night })
			if name == "table" { // every column is another one
				for _, w := range c.want {
					if !slices.ContainsFunc(report.Findings, func(f verify.Finding) bool { return f.Kind == w.kind && f.Path == w.path }) {
						t.Errorf("nobody found %+v", w)
					}
				}
				return
			}
			check(t, report, c.want...)
		})
	}
}
