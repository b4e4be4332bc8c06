package cli

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// literal is a folder with a blank in its name, in which a person types what messages say.
type literal struct {
	t      *testing.T
	server *server
	config string
	state  string
	now    time.Time
}

func newLiteral(t *testing.T) *literal {
	t.Helper()
	l := &literal{t: t, server: plainServer(t, 40, 10, 0), state: filepath.Join(t.TempDir(), "kept 'here'"), now: midnight.Add(9 * time.Hour)}
	t.Cleanup(func() { l.server.close() })
	out := filepath.Join(t.TempDir(), "my $lake")
	if err := os.MkdirAll(out, 0o755); err != nil {
		t.Fatal(err)
	}
	var err error
	if l.config, err = l.server.write(out); err != nil {
		t.Fatal(err)
	}
	l.change(`snapshot { tolerate_failed = "1%" }`, `snapshot {
  tolerate_failed = "1%"
  check "fewer" {
    table = "memberships"
    drop  = "0%"
  }
}`)
	return l
}

func (l *literal) change(from, to string) {
	l.t.Helper()
	text, err := os.ReadFile(l.config)
	if err != nil || !bytes.Contains(text, []byte(from)) {
		l.t.Fatalf("%v: no %q in %s", err, from, text)
	}
	if err := os.WriteFile(l.config, bytes.Replace(text, []byte(from), []byte(to), 1), 0o644); err != nil {
		l.t.Fatal(err)
	}
}

// types runs one command line with the flags of this person, and demands an exit code.
func (l *literal) types(want int, args ...string) outcome {
	l.t.Helper()
	args = append(args, "--config", l.config)
	if strings.Contains(" run status plan ", " "+args[0]+" ") {
		args = append(args, "--state", l.state, "--progress", "none")
	}
	return l.runs(want, args)
}

func (l *literal) runs(want int, args []string) outcome {
	l.t.Helper()
	var stdout, stderr bytes.Buffer
	env, begun := testEnv(&stdout, &stderr, args...), time.Now()
	env.Now, env.Random = func() time.Time { return l.now.Add(time.Since(begun)) }, rand.Uint64
	got := outcome{Main(l.t.Context(), env), stdout.String(), stderr.String()}
	if got.code != want {
		l.t.Fatalf("%q ended with %d, want %d: %s%s", args, got.code, want, got.stdout, got.stderr)
	}
	return got
}

// obeys runs the command that a text advises and that begins so, as a shell understands it.
func (l *literal) obeys(want int, text, begins string) outcome {
	l.t.Helper()
	for _, found := range regexp.MustCompile("`(rollcall [^`]*)`").FindAllStringSubmatch(text, -1) {
		if !strings.HasPrefix(found[1], begins) {
			continue
		}
		words, err := exec.Command("sh", "-c", `printf '%s\n' `+strings.TrimPrefix(found[1], "rollcall ")).Output()
		if err != nil {
			l.t.Fatalf("sh does not understand %s: %v", found[1], err)
		}
		return l.runs(want, strings.Split(strings.TrimSuffix(string(words), "\n"), "\n"))
	}
	l.t.Fatalf("no command that begins with %q in: %s", begins, text)
	return outcome{}
}

func (l *literal) asked() (n int64) {
	for _, c := range l.server.world.Counts() {
		n += int64(c.Requests)
	}
	return n
}

// TestWhatMessagesAdviseCanBeTypedAsItStands runs the commands in advice literally: they use the same
// configuration and the same state folder, and do what the message says.
func TestWhatMessagesAdviseCanBeTypedAsItStands(t *testing.T) {
	t.Parallel()
	l := newLiteral(t)
	app := l.server.world.RongCloud
	l.types(Done, "run")

	l.now = l.now.AddDate(0, 0, 1)
	app.RemoveMember(app.GroupIDs()[1], l.memberOf(app.GroupIDs()[1]))
	refused := l.types(NotSealed, "run")
	asked := l.asked()
	unsealed := l.types(Done, "status")
	l.obeys(NotSealed, unsealed.stdout[strings.Index(unsealed.stdout, "Next: "):], "rollcall run --date 2026-11-22")
	l.obeys(Done, unsealed.stdout, "rollcall run --date 2026-11-22 --accept fewer")
	if got := l.obeys(Done, refused.stderr, "rollcall run --date 2026-11-22 --accept fewer"); !strings.Contains(got.stdout, "was sealed before") || l.asked() != asked {
		t.Errorf("%d requests more: %s", l.asked()-asked, got.stdout)
	}

	verified := l.types(Done, "verify")
	l.obeys(Done, verified.stdout, "rollcall verify --all")
	l.obeys(Done, verified.stdout, "rollcall verify --head")
	l.obeys(Done, l.types(ChangeFirst, "verify", "2026-12-24").stderr, "rollcall snapshots")
	l.obeys(Done, l.types(ChangeFirst, "diff", "2026-11-21").stderr, "rollcall snapshots")
	l.obeys(Done, l.types(ChangeFirst, "explain", "--user", "nobody").stderr, "rollcall snapshots")
	l.obeys(Done, l.types(ChangeFirst, "sql").stderr, "rollcall sql duckdb")
	l.obeys(Done, l.types(ChangeFirst, "run", "now").stderr, "rollcall help run")

	replaced := l.obeys(Done, l.types(NotSealed, "run", "--replace").stderr, "rollcall run --replace --date 2026-11-22 --accept fewer")
	if !strings.Contains(replaced.stdout, "in place of") {
		t.Error(replaced.stdout)
	}
	l.now = l.now.AddDate(0, 0, 7)
	old := l.types(ChangeFirst, "run", "--date", "2026-11-20")
	if got := l.obeys(Done, old.stderr, "rollcall run --date 2026-11-20 --backdate"); !strings.Contains(got.stdout, "backdated") {
		t.Error(got.stdout)
	}
	theirs := filepath.Join(t.TempDir(), "theirs.csv")
	if err := os.WriteFile(theirs, []byte("group_id,user_id\n"+app.GroupIDs()[1]+",nobody\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for says, got := range map[string]outcome{
		"seen from 2026-11-20 (backdated), in ":           l.types(Done, "diff", "2026-11-20", "2026-11-21"),
		`"backdated":true}`:                               l.types(Done, "diff", "2026-11-20", "2026-11-21", "--json"),
		"with the snapshot of 2026-11-20 (backdated) in ": l.types(Different, "reconcile", "--expected", theirs, "--date", "2026-11-20"),
	} {
		if !strings.Contains(got.stdout, says) {
			t.Errorf("no %s in %s", says, got.stdout)
		}
	}
	l.obeys(NotSealed, l.types(ChangeFirst, "run", "--date", "2026-11-22", "--replace").stderr, "rollcall run --date 2026-11-22 --replace --backdate")

	app.RemoveMember(app.GroupIDs()[2], l.memberOf(app.GroupIDs()[2]))
	if err := os.Remove(filepath.Join(filepath.Dir(l.config), "snapshots", "_snapshots", "2026-11-20.json")); err != nil {
		t.Fatal(err)
	}
	l.obeys(Done, l.types(Different, "verify").stdout, "rollcall run --date 2026-11-20 --backdate")
	l.types(NotSealed, "run")
	l.change(`data "rongcloud_joined_groups" "`, `data "rongcloud_joined_groups" "other_`)
	changed := l.types(ChangeFirst, "run")
	asked = l.asked()
	l.obeys(NotSealed, changed.stderr, "rollcall run --date 2026-11-29 --discard")
	if l.asked() == asked {
		t.Error("what was fetched was not thrown away")
	}
}

func (l *literal) memberOf(group string) string {
	l.t.Helper()
	for m := range l.server.world.RongCloud.Truth().Memberships() {
		if m.Group == group {
			return m.User
		}
	}
	l.t.Fatalf("%s is empty", group)
	return ""
}
