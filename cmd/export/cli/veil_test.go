package cli

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rollcall/pipeline/job"
	"rollcall/pipeline/pseudonym"
	"rollcall/pipeline/snapshot"
	"rollcall/schema"
)

const veiledSnapshot = `
snapshot {
  column "user_id"  { hmac_key = env("HMAC_KEY") }
  column "group_id" { hmac_key = env("HMAC_KEY") }
  column "nickname" { drop = true }
  column "extra"    { drop = true }
  column "name"     { drop = true }
}
`

// told runs one command with the night's environment.
func (s *secretive) told(args ...string) outcome {
	s.t.Helper()
	var stdout, stderr bytes.Buffer
	env := testEnv(&stdout, &stderr, append(args, "--config", filepath.Join(s.dir, "rollcall.hcl"))...)
	env.Now, env.Random = s.now, rand.Uint64
	env.LookupEnv = func(name string) (string, bool) { value, set := s.env[name]; return value, set }
	return outcome{Main(s.t.Context(), env), stdout.String(), stderr.String()}
}

// TestPseudonymsAreLookedForWithTheirKey seals two nights of pseudonyms and uses every command on them:
// with the key, without it, and with another.
func TestPseudonymsAreLookedForWithTheirKey(t *testing.T) {
	t.Parallel()
	s := newSecretive(t)
	server := httptest.NewServer(s)
	defer server.Close()
	const key = "a key for tests, of 32 bytes or so"
	s.env["VENDORS"], s.env["HMAC_KEY"] = server.URL, key
	text := strings.Replace(nightWithSecrets, `snapshot { tolerate_failed = "100%" }`, veiledSnapshot, 1)
	if err := os.WriteFile(filepath.Join(s.dir, "rollcall.hcl"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	var records strings.Builder
	records.WriteString("group_id,user_id\n")
	group, user := "", ""
	for m := range s.world.RongCloud.Truth().Memberships() {
		fmt.Fprintf(&records, "%s,%s\n", m.Group, m.User)
		group, user = m.Group, m.User
	}
	expected := filepath.Join(t.TempDir(), "members.csv")
	if err := os.WriteFile(expected, []byte(records.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	v := pseudonym.New([]job.Column{{Name: "user_id", Key: key}, {Name: "group_id", Key: key}})

	for _, date := range []string{"2026-11-20", "2026-11-21"} {
		if code := s.run(nil, "--date", date); code != Done {
			t.Fatalf("the run ended with %d: %s", code, s.said.String())
		}
	}
	delete(s.env, "RONG_SECRET")
	delete(s.env, "TENCENT_KEY")
	reconcile := "reconcile --expected " + expected + " --source rongcloud.prod"
	for _, c := range []struct {
		key, args string
		code      int
		says      string
	}{
		{key, "explain --user " + user + " --group " + group, Done, "User " + v.User(user) + " in group " + v.Group(group)},
		{key, "explain --pseudonym --user " + v.User(user), Done, "User " + v.User(user)},
		{key, "explain --user " + v.User(user), ChangeFirst, "knows user"},
		{"", "explain --user " + v.User(user), Done, "User " + v.User(user)},
		{"", "explain --user " + user, ChangeFirst, "has pseudonyms in user_id, and their key is not there"},
		{"", "explain --user " + strings.Repeat("0", 32), ChangeFirst, `the key of the pseudonyms is not set: env("HMAC_KEY"), so that IDs are taken for pseudonyms`},
		{"another key that is long enough", "explain --user " + user, ChangeFirst, "were made with another key"},
		{key, reconcile, Done, "Nothing differs"},
		{"", reconcile, ChangeFirst, `set what hmac_key names in the configuration: env("HMAC_KEY"), with the key that the snapshot was sealed with`},
		{"another key that is long enough", reconcile, ChangeFirst, "were made with another key"},
		{key, "diff 2026-11-20 2026-11-21 --user " + user, Done, ""},
		{"", "diff 2026-11-20 2026-11-21", Done, ""},
		{"", "verify --all", Done, ""},
		{"", "snapshots --json", Done, `"treatment":"pseudonym"`},
		{"", "plan --date 2026-11-22", Done, ""},
		{"", "status", Done, ""},
		{"", "run --date 2026-11-21", Done, ""},
		{"", "sql duckdb", Done, ""},
		{"short", "explain --user " + user, ChangeFirst, "hmac_key is too short"},
	} {
		if s.env["HMAC_KEY"] = c.key; c.key == "" {
			delete(s.env, "HMAC_KEY")
		}
		got := s.told(strings.Fields(c.args)...)
		if got.code != c.code || !strings.Contains(got.stdout+got.stderr, c.says) {
			t.Errorf("%s with the key %q ended with %d, want %d and %q: %s%s", c.args, c.key, got.code, c.code, c.says, got.stdout, got.stderr)
		}
		if c.code == Done {
			s.said.WriteString(got.stdout + got.stderr)
		}
	}
	for _, id := range append(s.world.RongCloud.UserIDs(), s.world.RongCloud.GroupIDs()...) {
		if strings.Contains(s.said.String(), id) {
			t.Errorf("%s was told: %s", id, s.said.String())
			break
		}
	}
}

// TestAnIDThatCantStandInASnapshotIsNotLookedFor is about histories in which pseudonyms begin at some
// date: who is not found under the other night's ID has not left.
func TestAnIDThatCantStandInASnapshotIsNotLookedFor(t *testing.T) {
	t.Parallel()
	const key = "a key for tests, of 32 bytes or so"
	keyed := []job.Column{{Name: "user_id", Key: key}}
	made := pseudonym.New(keyed).User("u1")
	plain, veiled := &snapshot.Snapshot{}, &snapshot.Snapshot{}
	plain.Date, veiled.Date = "2026-11-20", "2026-11-21"
	veiled.Columns = pseudonym.New(keyed).Columns()
	for _, c := range []struct {
		what string
		key  schema.Secret
		asIs bool
		in   *snapshot.Snapshot
		id   string
		want string // empty: it can't stand there
	}{
		{"with the key", key, false, plain, "u1", "u1"},
		{"with the key", key, false, veiled, "u1", made},
		{"with the key, an ID of its form", key, false, plain, made, made},
		{"without the key", "", false, plain, "u1", "u1"},
		{"without the key", "", false, veiled, "u1", ""},
		{"without the key, a pseudonym", "", false, veiled, made, made},
		{"without the key, a pseudonym", "", false, plain, made, ""},
		{"--pseudonym", key, true, veiled, made, made},
		{"--pseudonym", key, true, plain, made, ""},
	} {
		columns := []job.Column{{Name: "user_id", Key: c.key}}
		l := looking{job: &job.Job{Columns: columns}, veil: pseudonym.New(columns), asIs: c.asIs}
		got, err := l.id(c.in, "user_id", c.id)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s, %s on %s: %q, %v; want %q", c.what, c.id, c.in.Date, got, err, c.want)
		}
	}
}
