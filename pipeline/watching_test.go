package pipeline_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall/pipeline"
	"rollcall/pipeline/config"
	"rollcall/pipeline/event"
	"rollcall/pipeline/job"
	"rollcall/pipeline/status"
	"rollcall/sources/all"
	"rollcall/sources/simulated"
)

// private fails where anybody but its owner may do anything in the state folder.
func (n *night) private() {
	n.t.Helper()
	files := 0
	err := filepath.WalkDir(n.state, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		files++
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			n.t.Errorf("%s has mode %v", path, info.Mode().Perm())
		}
		return err
	})
	if err != nil || files < 10 {
		n.t.Errorf("%d files, %v", files, err)
	}
}

// progress is what the run of the date said last.
func (n *night) progress() *status.Report {
	n.t.Helper()
	r, err := status.Read(filepath.Join(n.state, date, "progress.json"))
	if err != nil || r == nil {
		n.t.Fatalf("no progress: %v", err)
	}
	return r
}

func TestAStoppedRunLeavesAPrivateFolderThatSaysHowFarItCame(t *testing.T) {
	t.Parallel()
	world := simulated.New(unlimited(simulated.Options{Seed: 2, Users: 60, Groups: 8}))
	n := newNight(t, world).block("rongcloud_user_groups", users("rc_users"))
	if err := os.Chmod(n.state, 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := n.runCut(30)
	stopped := &pipeline.StoppedError{}
	if !errors.As(err, &stopped) || stopped.Done == 0 {
		t.Fatalf("got %v", err)
	}
	n.private()
	r := n.progress()
	if r.Done() != stopped.Done || r.Requests < 30 || r.LastRequest.IsZero() || r.Phase != event.Fetching || r.Ended != stopped.Error() || r.Blocks[0].Known != 60 || r.Process.PID != 1 {
		t.Errorf("%d keys are kept, and it says %+v", stopped.Done, r)
	}
	// Every request belongs to a data block, also those whose answers were not kept; nothing is pending any more.
	sent := int64(world.Counts()["/user/group/query.json"].Requests)
	if b := r.Blocks[0]; b.Requests != r.Requests || b.Requests < b.Done || b.Requests < sent || b.Pending != 0 || r.Rate != nil || r.Left != nil {
		t.Errorf("%d requests arrived, and it says %+v", sent, r)
	}
	found := int64(-1)
	if _, err := n.run(func(r *pipeline.Request) {
		r.Listen = func(e event.Event) {
			if begun, ok := e.(event.Started); ok {
				found = begun.Found
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
	if found != r.Done() {
		t.Errorf("status said that %d keys are kept, and the next run found %d", r.Done(), found)
	}
	if _, err := os.Stat(filepath.Join(n.state, date)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the sealed night is still there: %v", err)
	}
}

func TestADiscardedNightIsNamedAndAskedAnew(t *testing.T) {
	t.Parallel()
	world := simulated.New(unlimited(simulated.Options{Seed: 2, Users: 60, Groups: 8}))
	n := newNight(t, world).block("rongcloud_user_groups", users("rc_users"))
	if _, err := n.runCut(30); err == nil {
		t.Fatal("not cut")
	}
	for i := range n.job.Lists {
		if n.job.Lists[i].Name == "rc_users" {
			n.job.Lists[i].Values = n.job.Lists[i].Values[:40]
		}
	}
	if _, err := n.run(nil); err == nil || !strings.Contains(err.Error(), `ids rc_users was "60 values, SHA-256 `) || !strings.Contains(err.Error(), `" (60 IDs) and is now "40 values, SHA-256 `) {
		t.Fatalf("a changed list: %v", err)
	}
	kept, asked := n.progress().Done(), world.Counts()["/user/group/query.json"].Requests
	var notices []string
	result, err := n.run(func(r *pipeline.Request) {
		r.Discard = true
		r.Listen = func(e event.Event) {
			if notice, ok := e.(event.Notice); ok {
				notices = append(notices, notice.Text)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	list, _ := result.Manifest.Lists.Find("rc_users")
	if again := world.Counts()["/user/group/query.json"].Requests - asked; again != 40 || list.IDs != 40 {
		t.Errorf("%d requests after %d kept answers were thrown away; sealed of list %+v", again, kept, list)
	}
	if len(notices) == 0 || !strings.HasPrefix(notices[0], "throwing away the night of "+date+", begun ") || !strings.Contains(notices[0], "with the answers about ") {
		t.Errorf("notices %q", notices)
	}
}

func TestAListThatChangedIsToldAndItsCopyAsked(t *testing.T) {
	t.Parallel()
	for rule, part := range map[string]string{"a file": "", "a folder": "part-00000.txt"} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "users")
			if part != "" {
				if err := os.Mkdir(path, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			listChanges(t, path, filepath.Join(path, part))
		})
	}
}

// listChanges stops a run, changes the file of the list at path, and goes on.
func listChanges(t *testing.T, path, file string) {
	t.Helper()
	world := simulated.New(unlimited(simulated.Options{Seed: 2, Users: 60, Groups: 8}))
	n := newNight(t, world).block("rongcloud_user_groups", users("rc_users"))
	ids := world.RongCloud.UserIDs()
	write := func(ids []string, at time.Time) {
		t.Helper()
		if err := errors.Join(os.WriteFile(file, []byte(strings.Join(ids, "\n")+"\n"), 0o600), os.Chtimes(file, at, at)); err != nil {
			t.Fatal(err)
		}
	}
	write(ids, time.Now().Add(-time.Hour))
	for i := range n.job.Lists {
		if n.job.Lists[i].Name == "rc_users" {
			n.job.Lists[i] = job.List{Name: "rc_users", Path: path}
		}
	}
	warnings := func() (notices []string) {
		t.Helper()
		_, err := n.run(func(r *pipeline.Request) {
			r.Listen = func(e event.Event) {
				if notice, ok := e.(event.Notice); ok && notice.Warning {
					notices = append(notices, notice.Text)
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		return notices
	}
	if _, err := n.runCut(30); err == nil {
		t.Fatal("not cut")
	}
	slices.Reverse(ids)
	write(ids, time.Now().Add(time.Hour)) // the same IDs in another order
	if _, err := n.runCut(5); err == nil {
		t.Fatal("not cut")
	}
	write(ids[:10], time.Now().Add(time.Hour))
	notices := warnings()
	if len(notices) != 1 || !strings.HasPrefix(notices[0], "ids.rc_users: "+path+" has changed since this run began at ") || !strings.HasSuffix(notices[0], " (60 IDs then, 10 IDs now); the copy made then is asked") {
		t.Errorf("told %q", notices)
	}
}

// TestWhichAttributesBindANight changes every attribute of a configuration and looks at whether
// what was fetched before is still of use.
func TestWhichAttributesBindANight(t *testing.T) {
	t.Parallel()
	const text = `
source "rongcloud" "prod" {
  endpoint   = "https://rong.test"
  app_key    = "key"
  app_secret = env("SECRET")
  share      = 0.8
  budget "group_members" { per_second = 50 }
  window {
    from  = "08:00"
    to    = "22:00"
    share = 0.2
  }
}
source "tencentchat" "intl" {
  endpoint   = "https://adminapisgp.im.qcloud.com"
  sdk_app_id = 1400000001
  identifier = "administrator"
  secret_key = env("SECRET")
}
ids "staff" {
  path   = "users.csv"
  column = "id"
}
ids "vip" { values = ["u1", "u2"] }
ids "rooms" {
  path   = "s3://lists/rooms.csv"
  region = "eu-central-1"
}
data "rongcloud_group_members" "given" { groups = ids.rooms }
data "rongcloud_user_groups" "staff" {
  source = source.rongcloud.prod
  users  = ids.staff
}
data "rongcloud_group_members" "all" {
  groups = data.rongcloud_user_groups.staff.groups
  only   = ["owner"]
}
data "tencentchat_joined_groups" "all" {
  users  = [ids.staff, ids.vip]
  topics = true
}
data "tencentchat_group_roles" "all" { memberships = data.tencentchat_joined_groups.all.memberships }
sink "s3" "lake" {
  bucket = "audit"
  prefix = "p"
  region = "r"
}
snapshot {
  tolerate_failed = "0.1%"
  check "rows" {
    table = "users"
    drop  = "5%"
  }
}
`
	bound := parse(t, text)
	for from, free := range map[string]struct {
		to   string
		free bool
	}{
		`"https://rong.test"`:                        {`"https://other.test"`, true},
		`app_key    = "key"`:                         {`app_key    = "other"`, false},
		`app_secret = env("SECRET")`:                 {`app_secret = env("OTHER")`, true},
		`share      = 0.8`:                           {`share      = 0.5`, true},
		`per_second = 50`:                            {`per_second = 60`, true},
		`{ per_second = 50 }`:                        {`{ pacing = "even" }`, true},
		`from  = "08:00"`:                            {`from  = "09:00"`, true},
		`  share = 0.2`:                              {`  share = 0.1`, true},
		`"https://adminapisgp.im.qcloud.com"`:        {`"https://adminapiger.im.qcloud.com"`, true},
		`1400000001`:                                 {`1400000002`, false},
		`"administrator"`:                            {`"admin2"`, true},
		`secret_key = env("SECRET")`:                 {`secret_key = env("OTHER")`, true},
		`"users.csv"`:                                {`"people.csv"`, false},
		`column = "id"`:                              {`column = "user"`, false},
		`path   = "users.csv"`:                       {`path = "users.csv"` + "\n  delimiter = \";\"", false},
		`  column = "id"` + "\n":                     {"  header = false\n", false},
		`"s3://lists/rooms.csv"`:                     {`"s3://lists/rooms.csv"` + "\n  column = \"id\"", false},
		`region = "eu-central-1"`:                    {`region = "us-east-1"` + "\n  endpoint = \"https://s3.test\"", true},
		`["u1", "u2"]`:                               {`["u1", "u3"]`, false},
		`{ values = ["u1", "u2"] }`:                  {`{ values = ["u1,u2"] }`, false},
		`  users  = ids.staff`:                       {`  users  = ids.vip`, false},
		`only   = ["owner"]`:                         {`only   = ["owner", "admin"]`, false},
		`topics = true`:                              {``, false},
		`[ids.staff, ids.vip]`:                       {`ids.vip`, false},
		`"tencentchat_group_roles" "all"`:            {`"tencentchat_group_roles" "each"`, false},
		`"rongcloud_group_members" "all" {` + "\n":   {`"rongcloud_group_members" "all" {` + "\n  source = source.rongcloud.prod\n", true},
		`"s3" "lake"`:                                {`"s3" "sea"`, true},
		`bucket = "audit"`:                           {`bucket = "other"`, true},
		`prefix = "p"`:                               {`prefix = "q"`, true},
		`region = "r"`:                               {`region = "s"`, true},
		`tolerate_failed = "0.1%"`:                   {`tolerate_failed = 7`, true},
		`drop  = "5%"`:                               {`drop  = 9`, true},
		`check "rows"`:                               {`check "lines"`, true},
		`ids "vip" { values = ["u1", "u2"] }` + "\n": {`ids "vip" { values = ["u1", "u2"] }` + "\nids \"unused\" { path = \"x\" }\n", true},
	} {
		if strings.Count(text, from) != 1 {
			t.Errorf("%q stands %d times in the configuration", from, strings.Count(text, from))
			continue
		}
		changed := parse(t, strings.Replace(text, from, free.to, 1))
		if same := slices.Equal(pipeline.Binding(changed), pipeline.Binding(bound)); same != free.free {
			t.Errorf("%s changed to %s: may it go on? %v, want %v\n%s", from, free.to, same, free.free, strings.Join(pipeline.Binding(changed), "\n"))
		}
	}
	named(t, text)
}

func parse(t *testing.T, text string) *job.Job {
	t.Helper()
	j, faults := config.Parse("rollcall.hcl", []byte(text), config.Options{
		Definitions: all.Definitions(), Secrets: true, Env: func(name string) (string, bool) { return strings.Repeat(name, 64/len(name)), true },
	})
	if faults.HasErrors() {
		var shown strings.Builder
		_ = faults.Write(&shown, false, 100)
		t.Fatalf("%s\n%s", text, shown.String())
	}
	return j
}

// named fails where a vendor has an attribute that the test's configuration does not know, so that
// a new one must be put on one side or the other.
func named(t *testing.T, text string) {
	t.Helper()
	decided := map[string]string{"allow_http": "where to ask, not whom", "backup_endpoint": "likewise", "failover": "likewise"}
	for _, d := range all.Definitions() {
		fields := reflect.TypeOf(d.Config()).Elem()
		for i := range fields.NumField() {
			name, _, _ := strings.Cut(fields.Field(i).Tag.Get("hcl"), ",")
			if name != "" && decided[name] == "" && !strings.Contains(text, "  "+name+" ") {
				t.Errorf("is a night bound to %s of %s?", name, d.Type)
			}
		}
	}
}

// A state folder of a newer version keeps a run out before anything is asked.
func TestANewerStateFolderKeepsARunOut(t *testing.T) {
	t.Parallel()
	world := simulated.New(unlimited(simulated.Options{Seed: 2, Users: 10, Groups: 2}))
	n := newNight(t, world).block("rongcloud_user_groups", users("rc_users"))
	if err := os.WriteFile(filepath.Join(n.state, "version"), []byte("99\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := n.run(nil); err == nil || !strings.Contains(err.Error(), "is of version 99, and this program knows versions up to 2") {
		t.Errorf("got %v", err)
	}
	if asked := world.Counts()["/user/group/query.json"].Requests; asked != 0 {
		t.Errorf("%d requests", asked)
	}
}
