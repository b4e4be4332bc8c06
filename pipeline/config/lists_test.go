package config_test

import (
	"errors"
	"strings"
	"testing"

	"rollcall/pipeline/config"
	"rollcall/pipeline/job"
	"rollcall/sources/all"
)

func TestWhatIsWrongInAListStandsAtItsBlockWithAllOtherFaults(t *testing.T) {
	t.Parallel()
	const text = `source "rongcloud" "prod" {
  app_key    = "key"
  app_secret = env("SECRET")
}
ids "staff" {
  path      = "s3://lists/users.csv"
  delimiter = "\t"
  header    = false
  region    = "eu-central-1"
  path_style = false
}
ids "bad" { path = "bad.txt" }
ids "faulty" { path = "" }
ids "unused" { path = "unused.txt" }
data "rongcloud_user_groups" "all" { users = [ids.staff, ids.bad, ids.faulty] }
snapshot {
  tolerate_failed = "101%"
  column "nickname" { drop = true }
}
`
	looked := map[string]job.List{}
	_, faults := config.Parse("rollcall.hcl", []byte(text), config.Options{
		Definitions: all.Definitions(),
		CheckList: func(list job.List, columns []job.Column, warn func(text, hint string)) error {
			looked[list.Name] = list
			if len(columns) != 1 {
				t.Errorf("the columns are %v", columns)
			}
			if list.Name == "bad" {
				return errors.New("ids.bad: bad.txt:1: nothing good")
			}
			warn("ids.staff: something odd", "look at it")
			return nil
		},
	})
	lines := map[string]int{}
	for _, d := range faults.List() {
		lines[d.Summary] = d.Line
	}
	if lines["ids.bad: bad.txt:1: nothing good"] != 12 || lines["path is missing"] != 13 || len(lines) != 3 {
		t.Errorf("told %v", lines)
	}
	if len(looked) != 2 {
		t.Errorf("looked at %v", looked)
	}
	if l := looked["staff"]; l.Delimiter != '\t' || !l.NoHeader || l.Region != "eu-central-1" || l.PathStyle == nil || *l.PathStyle {
		t.Errorf("read %+v", l)
	}
}

func TestTheReferenceNamesWhatAListTakes(t *testing.T) {
	t.Parallel()
	page, err := config.Reference(all.Definitions())
	if err != nil {
		t.Fatal(err)
	}
	_, page, _ = strings.Cut(page, "\n## ids\n")
	page, _, _ = strings.Cut(page, "\n## ")
	for word := range strings.FieldsSeq("path column delimiter header region endpoint path_style values folder gzip DECIMAL") {
		if !strings.Contains(page, word) {
			t.Errorf("the page does not name %s", word)
		}
	}
}
