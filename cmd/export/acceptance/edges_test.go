package acceptance

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rollcall/sources/simulated"
)

// handful is a world of a few users and groups.
func handful() simulated.Options {
	return simulated.Options{Seed: 4, Users: 20, Groups: 4, Limits: wide()}
}

// Few files stop the run wherever one more is needed first, and nothing is blamed but the limit.
func TestARunThatCantOpenMoreFilesNamesTheLimit(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip(err)
	}
	s := newSite(t, handful(), localSink)
	stopped := 0
	for _, most := range []string{"10", "14", "18", "24", "30"} {
		if err := os.RemoveAll(filepath.Join(s.dir, ".rollcall")); err != nil {
			t.Fatal(err)
		}
		command := Command(t, s.dir, s.env, "run", "--progress", "none")
		command.Args = append([]string{"sh", "-c", "ulimit -n " + most + "; exec \"$@\"", "sh"}, command.Args...)
		command.Path = "/bin/sh"
		said, err := command.CombinedOutput()
		if err == nil {
			continue // so many were enough
		}
		stopped++
		if code := command.ProcessState.ExitCode(); code > 2 || !strings.Contains(string(said), "too many open files") || !strings.Contains(string(said), "What to do: raise the limit on open files") {
			t.Errorf("with %s files: exit code %d: %s", most, code, said)
		}
	}
	if stopped < 3 {
		t.Errorf("the run was stopped %d times", stopped)
	}
}

// Whatever stands in an ID or a name, other programs read the same.
func TestOddIDsAndNamesAreReadBackAsTheyCame(t *testing.T) {
	t.Parallel()
	s := newSite(t, handful(), localSink)
	user := slices.Collect(s.world.RongCloud.Truth().Memberships())[0].User
	odd := []string{
		"a\nb", "a\x00b", strings.Repeat("L", 1000), "a/b?c=d&e#f", " lead trail ", "\x1b[31mred\x1b[0m", "caf\u00e9", "cafe\u0301", "CASE", "case", "\U0001F468\u200d\U0001F469",
		"x\ry", "x\ty", "\u202egpj.exe", `it's "q" ;drop`, "g[1]*?", "\uffff\U0010ffff", "   ", "=cmd|'/c calc'!A1", "<script>", strings.Repeat("\U0010FFFF", 250), strings.Repeat("\x7f", 70),
	}
	var want []string
	for _, id := range odd {
		name := id + "\x00n"
		s.world.RongCloud.AddGroup(simulated.Group{ID: id, Name: name})
		for _, member := range []string{user, id} {
			s.world.RongCloud.AddMember(id, member, simulated.Member{Role: simulated.Ordinary, Nickname: &name})
			want = append(want, fmt.Sprintf("%X %X %X %X", id, member, name, name))
		}
	}
	s.run(0, "run", "--progress", "none")
	script, _ := s.run(0, "sql", "duckdb")
	d := newDesk(t, script)
	d.want("SELECT concat_ws(' ', hex(m.group_id), hex(m.user_id), hex(m.nickname), hex(g.name)) FROM memberships m JOIN groups g USING (source, group_id) WHERE m.nickname LIKE concat('%', chr(0), 'n')", want)
	for _, id := range odd { // by the bounds that the files give, too
		d.want(fmt.Sprintf("SELECT count(*) FROM memberships WHERE group_id = decode(unhex('%X'))", id), []string{"2"})
	}
	s.run(0, "verify")
}
