package process_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"rollcall/schema/process"
)

// No goroutine outlives its test.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// machine is what a process sees of a machine that runs it.
type machine struct {
	id, boot, pids, clock string
	self                  int
	stats                 map[int]string // by process ID: state and start
	hidden                map[int]bool   // that are there and can't be seen
}

func (m machine) table(t *testing.T) *process.Table {
	t.Helper()
	root := t.TempDir()
	write := func(path, text string) {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	link := func(to, path string) {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(to, path); err != nil {
			t.Fatal(err)
		}
	}
	write("etc/machine-id", m.id+"\n")
	if m.boot != "" {
		write("proc/sys/kernel/random/boot_id", m.boot+"\n")
	}
	for pid, stat := range m.stats {
		write(fmt.Sprintf("proc/%d/stat", pid), stat)
	}
	link(fmt.Sprint(m.self), "proc/self")
	link(m.pids, fmt.Sprintf("proc/%d/ns/pid", m.self))
	link(m.clock, fmt.Sprintf("proc/%d/ns/time", m.self))
	return process.NewTable(root, "host", m.self, func(pid int) bool { return m.stats[pid] == "" && !m.hidden[pid] })
}

func stat(state string, started int) string {
	return fmt.Sprintf("7 (a ) S b) %s 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 %d 20 21\n", state, started)
}

func TestOnlyWhatIsCertainIsSaid(t *testing.T) {
	t.Parallel()
	usual := func() machine {
		return machine{id: "m", boot: "b", pids: "pid:[1]", clock: "time:[1]", self: 7, stats: map[int]string{7: stat("R", 100), 8: stat("S", 200)}}
	}
	other := usual()
	other.self = 8
	named := other.table(t).Self()
	for name, c := range map[string]struct {
		change func(m *machine, i *process.Identity)
		want   process.Liveness
	}{
		"it lives":                                 {func(*machine, *process.Identity) {}, process.Alive},
		"it is who asks":                           {func(m *machine, i *process.Identity) { *i = usual().table(t).Self() }, process.Alive},
		"it has ended":                             {func(m *machine, _ *process.Identity) { delete(m.stats, 8) }, process.Dead},
		"it waits for its parent":                  {func(m *machine, _ *process.Identity) { m.stats[8] = stat("Z", 200) }, process.Dead},
		"its ID was given to another":              {func(m *machine, _ *process.Identity) { m.stats[8] = stat("S", 201) }, process.Dead},
		"its ID is now that of who asks":           {func(_ *machine, i *process.Identity) { i.PID = 7 }, process.Dead},
		"it is hidden":                             {func(m *machine, _ *process.Identity) { delete(m.stats, 8); m.hidden = map[int]bool{8: true} }, process.Unknown},
		"the machine was booted since":             {func(m *machine, _ *process.Identity) { m.boot = "c"; delete(m.stats, 8) }, process.Unknown},
		"another machine has the same boot ID":     {func(m *machine, _ *process.Identity) { m.id = "n"; delete(m.stats, 8) }, process.Unknown},
		"another container":                        {func(m *machine, _ *process.Identity) { m.pids = "pid:[2]"; delete(m.stats, 8) }, process.Unknown},
		"another clock":                            {func(m *machine, _ *process.Identity) { m.clock = "time:[2]"; delete(m.stats, 8) }, process.Unknown},
		"no boot ID":                               {func(m *machine, _ *process.Identity) { m.boot = ""; delete(m.stats, 8) }, process.Unknown},
		"an older record that names none of it":    {func(_ *machine, i *process.Identity) { *i = process.Identity{PID: 9} }, process.Unknown},
		"nobody":                                   {func(_ *machine, i *process.Identity) { *i = process.Identity{} }, process.Unknown},
		"what the system says can't be understood": {func(m *machine, _ *process.Identity) { m.stats[8] = "8 (x) S 1" }, process.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, i := usual(), named
			c.change(&m, &i)
			if got := m.table(t).Look(i); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestTheMachinesIDIsNotToldToOthers(t *testing.T) {
	t.Parallel()
	m := machine{id: "d7b3a1", boot: "e21f", pids: "pid:[1]", clock: "time:[1]", self: 7, stats: map[int]string{7: stat("R", 100)}}
	if self := m.table(t).Self(); self.Machine == "" || self.Machine == m.id || self.Boot == m.boot || self.Started != 100 {
		t.Errorf("got %+v", self)
	}
}

func TestAProcessOfThisMachineIsLookedUp(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("this system has no /proc")
	}
	table := process.NewTable("/", "host", os.Getpid(), process.Gone)
	if got := table.Look(table.Self()); got != process.Alive {
		t.Errorf("this process is %v", got)
	}
	child := exec.Command("sleep", "60")
	if err := child.Start(); err != nil {
		t.Skip(err)
	}
	of := process.NewTable("/", "host", os.Getpid(), process.Gone).Self()
	of.PID = child.Process.Pid
	of.Started--                                    // the child may have started in the same tick as this process
	if got := table.Look(of); got != process.Dead { // it did not start when this one did
		t.Errorf("a child under a false start is %v", got)
	}
	if process.Gone(child.Process.Pid) {
		t.Error("a child that lives is gone")
	}
	child.Process.Kill()
	_ = child.Wait()
	if !process.Gone(of.PID) {
		t.Error("a child that has ended is there")
	}
}
