package config_test

import (
	"slices"
	"strings"
	"testing"

	"rollcall/pipeline/config"
	"rollcall/pipeline/job"
)

// plainJob is a configuration with one list and no snapshot block.
const plainJob = `
source "chat" "prod" {
  app        = 1
  app_secret = env("SECRET")
}
ids "users" { values = ["u1"] }
data "chat_user_groups" "all" { users = ids.users }
sink "local" "out" { path = "out" }
`

func TestBuiltInChecksAreThereUnlessABlockOfTheirNameSaysOtherwise(t *testing.T) {
	t.Parallel()
	if got := mustParse(t, plainJob, options()).Checks; !slices.Equal(got, job.BuiltIn()) {
		t.Errorf("without a snapshot block: %+v", got)
	}
	limit := job.Tolerance{Share: 0.2, Count: 19}
	half := job.Tolerance{Share: 0.5}
	for text, want := range map[string]job.Check{
		`check "list_shrunk" { drop = "50%" }`:                                               {Name: "list_shrunk", Kind: job.ListShrunk, Limit: half},
		`check "list_shrunk" { drop = 10 }`:                                                  {Name: "list_shrunk", Kind: job.ListShrunk, Limit: job.Tolerance{Count: 10}},
		`check "list_shrunk" {}`:                                                             {Name: "list_shrunk", Kind: job.ListShrunk, Limit: limit},
		`check "list_shrunk" { action = "warn" }`:                                            {Name: "list_shrunk", Kind: job.ListShrunk, Limit: limit, Warn: true},
		`check "list_shrunk" { action = "off" }`:                                             {Name: "list_shrunk", Kind: job.ListShrunk, Limit: limit, Off: true},
		"check \"list_shrunk\" {\n drop = \"50%\"\n action = \"warn\"\n}":                    {Name: "list_shrunk", Kind: job.ListShrunk, Limit: half, Warn: true},
		`check "uncovered" { drop = "50%" }`:                                                 {Name: "uncovered", Kind: job.Uncovered, Limit: half},
		`check "fewer_memberships" { drop = "50%" }`:                                         {Name: "fewer_memberships", Kind: job.Drop, Table: "memberships", Limit: half},
		"check \"fewer_memberships\" {\n table = \"memberships\"\n drop = \"5%\"\n}":         {Name: "fewer_memberships", Kind: job.Drop, Table: "memberships", Limit: job.Tolerance{Share: 0.05}},
		"check \"fewer_memberships\" {\n table = \"users\"\n drop = \"5%\"\n}":               {Name: "fewer_memberships", Kind: job.Drop, Table: "users", Limit: job.Tolerance{Share: 0.05}},
		`check "emptied" { action = "off" }`:                                                 {Name: "emptied", Kind: job.Emptied, Off: true},
		`check "emptied" { emptied = true }`:                                                 {Name: "emptied", Kind: job.Emptied},
		`check "emptied" { table = "users" }`:                                                {Name: "emptied", Kind: job.Emptied, Table: "users"},
		"check \"emptied\" {\n emptied = true\n table = \"changes\"\n}":                      {Name: "emptied", Kind: job.Emptied, Table: "changes"},
		`check "list_without_rows" { action = "warn" }`:                                      {Name: "list_without_rows", Kind: job.ListWithoutRows, Warn: true},
		`check "uncovered" { new_roles = true }`:                                             {Name: "uncovered", Kind: job.NewRoles},
		"check \"list_shrunk\" {\n table = \"users\"\n drop = \"5%\"\n action = \"warn\"\n}": {Name: "list_shrunk", Kind: job.Drop, Table: "users", Limit: job.Tolerance{Share: 0.05}, Warn: true},
		"check \"list_without_rows\" {\n ownerless = 3\n}":                                   {Name: "list_without_rows", Kind: job.Ownerless, Limit: job.Tolerance{Count: 3}},
	} {
		got := mustParse(t, plainJob+"snapshot {\n"+text+"\n}\n", options()).Checks
		all := job.BuiltIn()
		all[slices.IndexFunc(all, func(c job.Check) bool { return c.Name == want.Name })] = want
		if !slices.Equal(got, all) {
			t.Errorf("%s gives %+v", text, got)
		}
	}
	written := mustParse(t, plainJob+`snapshot {
  check "fewer" {
    table  = "groups"
    drop   = 3
    action = "off"
  }
}
`, options()).Checks
	if want := (job.Check{Name: "fewer", Kind: job.Drop, Table: "groups", Limit: job.Tolerance{Count: 3}, Off: true}); len(written) != 6 || !slices.Contains(written, want) {
		t.Errorf("beside a written one: %+v", written)
	}
}

func TestTheStarterShowsTheBuiltInChecksAsTheyCanBeWritten(t *testing.T) {
	t.Parallel()
	head, commented, found := strings.Cut(string(config.Starter()), "snapshot {\n")
	if !found {
		t.Fatal("the starter has no snapshot")
	}
	var checks strings.Builder
	for line := range strings.Lines(commented) {
		if text, is := strings.CutPrefix(line, "  # "); is && (strings.HasPrefix(text, "check ") || strings.HasPrefix(text, "acknowledge ") || strings.HasPrefix(text, "  ") || text == "}\n") {
			checks.WriteString(text)
		}
	}
	j := mustParse(t, head+"snapshot {\n"+checks.String()+"}\n", vendors(true))
	if len(j.Acknowledged) != 1 || j.Acknowledged[0].Source != "rongcloud.prod" {
		t.Errorf("with its comments taken away the starter acknowledges %+v", j.Acknowledged)
	}
	got := j.Checks
	for i, want := range []string{"emptied", "fewer_memberships", "list_shrunk", "list_without_rows", "no_owner", "uncovered"} {
		if i >= len(got) || got[i].Name != want || want != "no_owner" && slices.Contains(job.BuiltIn(), got[i]) {
			t.Errorf("with its comments taken away the starter has the checks %+v", got)
			break
		}
	}
}
