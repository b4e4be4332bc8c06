package disk_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"rollcall/schema/disk"
)

// No goroutine outlives its test.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// place is a folder that others write in, and a file outside of it that nobody may touch.
func place(t *testing.T) (root, outside string) {
	t.Helper()
	root, outside = t.TempDir(), filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, []byte("gold"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if got, err := os.ReadFile(outside); err != nil || string(got) != "gold" {
			t.Errorf("outside there is %q, %v", got, err)
		}
	})
	return root, outside
}

// plants are what may lie in the place of a plain file.
func plants(outside string) map[string]func(at string) error {
	return map[string]func(at string) error{
		"a link to a file":   func(at string) error { return os.Symlink(outside, at) },
		"a link to a folder": func(at string) error { return os.Symlink(filepath.Dir(outside), at) },
		"a link to nothing":  func(at string) error { return os.Symlink(outside+".new", at) },
		"a pipe":             func(at string) error { return syscall.Mkfifo(at, 0o600) },
		"a folder":           func(at string) error { return os.Mkdir(at, 0o700) },
	}
}

func TestNothingButAPlainFileIsOpened(t *testing.T) {
	t.Parallel()
	for name := range plants("") {
		for what, open := range map[string]func(root, path string) error{
			"Tree.Open":      func(root, path string) error { _, err := disk.Tree{Path: root}.Open(path); return err },
			"Tree.ReadFile":  func(root, path string) error { _, err := disk.Tree{Path: root}.ReadFile(path, 9); return err },
			"Beneath.Create": func(root, path string) error { _, err := disk.Beneath(disk.OS{}, root).Create(path, 0o600); return err },
			"Beneath.Append": func(root, path string) error { _, err := disk.Beneath(disk.OS{}, root).Append(path, 0o600); return err },
			"Beneath.Link":   func(root, path string) error { return disk.Beneath(disk.OS{}, root).Link(path, path+".link") },
		} {
			t.Run(what+" at "+name, func(t *testing.T) {
				t.Parallel()
				root, outside := place(t)
				path := filepath.Join(root, "file")
				if err := plants(outside)[name](path); err != nil {
					t.Fatal(err)
				}
				planted, is := errors.AsType[*disk.NotPlainError](open(root, path))
				if !is || planted.Path != path {
					t.Errorf("got %v", planted)
				}
				if _, err := os.Lstat(outside + ".new"); err == nil {
					t.Error("a file was made outside")
				}
			})
		}
	}
}

func TestNoFolderThatIsALinkIsGoneThrough(t *testing.T) {
	t.Parallel()
	root, outside := place(t)
	folder := filepath.Join(root, "folder")
	if err := os.Symlink(filepath.Dir(outside), folder); err != nil {
		t.Fatal(err)
	}
	path, d, tree := filepath.Join(folder, "outside"), disk.Beneath(disk.OS{}, root), disk.Tree{Path: root}
	for what, do := range map[string]func() error{
		"Open":       func() error { _, err := tree.Open(path); return err },
		"Lstat":      func() error { _, err := tree.Lstat(path); return err },
		"ReadDir":    func() error { _, err := tree.ReadDir(folder); return err },
		"Create":     func() error { _, err := d.Create(path, 0o600); return err },
		"Append":     func() error { _, err := d.Append(path, 0o600); return err },
		"MkdirAll":   func() error { return d.MkdirAll(filepath.Join(folder, "new"), 0o700) },
		"Remove":     func() error { return d.Remove(path) },
		"RemoveAll":  func() error { return d.RemoveAll(path) },
		"SyncFolder": func() error { return d.SyncFolder(folder) },
	} {
		if _, is := errors.AsType[*disk.NotPlainError](do()); !is {
			t.Errorf("%s: %v", what, do())
		}
	}
}

func TestAConfinedDiskEmptiesNoFile(t *testing.T) {
	t.Parallel()
	root, outside := place(t)
	path := filepath.Join(root, "file")
	if err := os.Link(outside, path); err != nil {
		t.Skip(err)
	}
	if _, err := disk.Beneath(disk.OS{}, root).Create(path, 0o600); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v", err)
	}
}

func TestPlainFilesAreWrittenAndRead(t *testing.T) {
	t.Parallel()
	root, _ := place(t)
	path, d := filepath.Join(root, "a", "b", "file"), disk.Beneath(disk.OS{}, root)
	if err := d.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		file, err := d.Append(path, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(file, "x"); errors.Join(err, file.Close()) != nil {
			t.Fatal(err)
		}
	}
	if got, err := (disk.Tree{Path: root}).ReadFile(path, 2); err != nil || string(got) != "xx" {
		t.Errorf("read %q, %v", got, err)
	}
	if _, err := (disk.Tree{Path: root}).ReadFile(path, 1); err == nil {
		t.Error("more was read than is allowed")
	}
}

// TestAFileThatIsSwappedBetweenLookAndOpenIsNotRead lets another program swap two plain files all the time.
// What is opened is the file that was looked at, or nothing.
func TestAFileThatIsSwappedBetweenLookAndOpenIsNotRead(t *testing.T) {
	t.Parallel()
	root, _ := place(t)
	path, spare := filepath.Join(root, "file"), filepath.Join(root, "spare")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				_ = errors.Join(os.WriteFile(spare, nil, 0o600), os.Rename(spare, path))
			}
		}
	}()
	defer func() { close(stop); <-stopped }()
	tree := disk.Tree{Path: root}
	for range 200_000 {
		file, err := tree.Open(path)
		if err == nil {
			file.Close()
			continue
		}
		if planted, is := errors.AsType[*disk.NotPlainError](err); !is || planted.Path != path {
			t.Errorf("got %v", err)
		}
		return // it was seen
	}
	t.Error("no swap was seen")
}
