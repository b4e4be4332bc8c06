package pipeline_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rollcall/pipeline"
	"rollcall/pipeline/event"
	"rollcall/schema/disk/disktest"
	"rollcall/schema/fault"
)

// damages are what a bad disk does to a file; of is a file of the same kind, or the file itself.
func damages() map[string]func(path, of string) error {
	flip := func(part int) func(path, _ string) error {
		return func(path, _ string) error {
			raw, err := os.ReadFile(path)
			if err != nil || len(raw) == 0 {
				return err
			}
			raw[(len(raw)-1)*part/8] ^= 1 << (part % 8)
			return os.WriteFile(path, raw, 0o600)
		}
	}
	all := map[string]func(path, of string) error{
		"emptied":   func(path, _ string) error { return os.Truncate(path, 0) },
		"deleted":   func(path, _ string) error { return os.Remove(path) },
		"cut short": func(path, _ string) error { return os.Truncate(path, sizeOf(path)*2/3) },
		"torn":      func(path, _ string) error { return os.Truncate(path, max(0, sizeOf(path)-1)) },
		"swapped": func(path, of string) error {
			if path == of {
				return nil
			}
			aside := path + ".aside"
			for _, move := range [][2]string{{path, aside}, {of, path}, {aside, of}} {
				if err := os.Rename(move[0], move[1]); err != nil {
					return err
				}
			}
			return nil
		},
	}
	for part := range 9 {
		if part%4 != 0 && !long() {
			continue
		}
		all[fmt.Sprintf("flipped at %d/8", part)] = flip(part)
	}
	return all
}

func sizeOf(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// stopped leaves what a run left that was killed while it fetched, with several flushes behind it.
func stopped(t *testing.T, q quiet) (state, out string, asked int64) {
	t.Helper()
	n := tiny(t)
	flushes := 0
	step := 1 + slices.IndexFunc(q.steps, func(step string) bool {
		if strings.HasPrefix(step, disktest.Rename) && strings.Contains(step, "/spool/run-") {
			flushes++
		}
		return flushes == 3
	}) + 30
	n.inBubble(func() {
		if _, err := n.virtually(disktest.New(n.t, disktest.Options{Crash: step}), nil); err == nil {
			n.t.Fatal("the run was not stopped")
		}
	})
	if safe := n.safe(); len(safe) < 10 || len(safe) > len(q.requests)-5 {
		t.Fatalf("%d of %d keys are safe: too few or too many to tell anything", len(safe), len(q.requests))
	}
	return n.state, n.out, n.requests()
}

func TestADamagedStateFolderCostsTheKeysConcernedAndNeverTheTruth(t *testing.T) {
	t.Parallel()
	q := quietNight(t)
	state, out, asked := stopped(t, q)
	count := newTried(t, "a file of the state folder emptied, deleted, cut, torn, swapped, or with a bit flipped")
	for _, file := range kindsOfFiles(t, state) {
		for name, damage := range damages() {
			t.Run(file.path+" "+name, func(t *testing.T) {
				t.Parallel()
				n := tiny(t)
				n.copyTo(state, n.state)
				n.copyTo(out, n.out)
				if err := damage(filepath.Join(n.state, file.path), filepath.Join(n.state, file.of)); err != nil {
					t.Fatal(err)
				}
				n.inBubble(func() { n.goOnDamaged(q, file.path, asked, count) })
			})
		}
	}
}

// kind is a file of the state folder, and another of the same kind.
type kind struct{ path, of string }

// kindsOfFiles lists the files of the state folder, one of each kind.
func kindsOfFiles(t *testing.T, state string) (all []kind) {
	t.Helper()
	seen := map[string]int{}
	err := filepath.WalkDir(state, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		relative, _ := filepath.Rel(state, path)
		name := entry.Name()
		if name == "lock" || strings.Contains(relative, "unfinished-") || strings.HasSuffix(name, ".tmp") {
			return nil
		}
		if filepath.Ext(name) == ".keys" {
			name = "keys"
		}
		if i, ok := seen[name]; ok {
			all[i].of = relative
			return nil
		}
		seen[name] = len(all)
		all = append(all, kind{relative, relative})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"night.json", "figures.json", "keys", "index.json", "rows.arrow", "records.arrow", "groups.arrow"} {
		if _, ok := seen[want]; !ok {
			t.Errorf("no %s lies in the state folder: %v", want, seen)
		}
	}
	return all
}

func (n *night) copyTo(from, to string) {
	n.t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		n.t.Fatal(err)
	}
}

// goOnDamaged goes on with a damaged state folder: to the same bytes, asking the keys that are not
// safe and no others; or it is refused with a way out.
func (n *night) goOnDamaged(q quiet, file string, before int64, count *tried) {
	n.t.Helper()
	safe := n.safe()
	said := ""
	result, err := n.virtually(disktest.New(n.t, disktest.Options{}), func(r *pipeline.Request) {
		r.Listen = func(e event.Event) {
			if notice, ok := e.(event.Notice); ok && notice.Warning {
				said += notice.Text + "\n"
			}
		}
	})
	if err != nil {
		if name := filepath.Base(file); name != "night.json" && name != "version" {
			n.t.Fatalf("a damaged %s ends the run: %v", file, err)
		}
		if fault.HintOf(err) == "" || !strings.Contains(err.Error(), filepath.Base(file)) {
			n.t.Errorf("%v (hint %q) does not say which file, or what to do", err, fault.HintOf(err))
		}
		if n.requests() > 0 {
			n.t.Errorf("a run that is refused asked %d times", n.requests())
		}
		count.add(0, false)
		return
	}
	if asked, want := n.requests(), q.unsafe(safe); asked != want {
		n.t.Errorf("%d requests, %d are needed for the keys that were not safe (%d were)\n%s", asked, want, len(safe), said)
	}
	n.same(q, result)
	count.add(before+n.requests()-q.total(), true)
}
