package main_test

import (
	"bytes"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

var update = flag.Bool("update", false, "rewrite dependencies.txt")

// root is the module's folder, seen from this package's.
const root = "../.."

// module is the source of Rollcall, parsed.
type module struct {
	files   []*file
	vendors []string // folders that sources/all imports
}

// file is one parsed Go file.
type file struct {
	path  string // below the module's root
	pkg   string // its folder
	test  bool   // of a _test.go file
	kit   bool   // of a folder that only tests use
	lines int
	set   *token.FileSet
	tree  *ast.File
}

func (f *file) imports() []string {
	var paths []string
	for _, spec := range f.tree.Imports {
		paths = append(paths, strings.Trim(spec.Path.Value, `"`))
	}
	return paths
}

var parsed = sync.OnceValues(parse)

func load(t *testing.T) *module {
	t.Helper()
	m, err := parsed()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// parse reads every Go file of the module, but not those of modules nested in it.
func parse() (*module, error) {
	m, set := &module{}, token.NewFileSet()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			return enter(path, entry.Name())
		case filepath.Ext(path) != ".go":
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		tree, err := parser.ParseFile(set, path, text, parser.ParseComments)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		pkg := filepath.ToSlash(filepath.Dir(name))
		m.files = append(m.files, &file{
			path:  name,
			pkg:   pkg,
			kit:   in(kits()...)(nil, pkg),
			test:  strings.HasSuffix(name, "_test.go"),
			lines: bytes.Count(text, []byte("\n")),
			set:   set,
			tree:  tree,
		})
		return nil
	})
	for _, f := range m.files {
		if f.pkg != "sources/all" || f.test {
			continue
		}
		for _, imported := range f.imports() {
			if pkg, ours := strings.CutPrefix(imported, "rollcall/sources/"); ours {
				m.vendors = append(m.vendors, "sources/"+pkg)
			}
		}
	}
	return m, err
}

// enter tells WalkDir whether a folder is part of the module.
func enter(path, name string) error {
	if path == root {
		return nil
	}
	if strings.HasPrefix(name, ".") || name == "testdata" {
		return filepath.SkipDir
	}
	if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil {
		return filepath.SkipDir
	}
	return nil
}

// TestDependenciesAreThoseReviewed compares the modules linked into the binary, and their licences, with
// the committed list, so that a new one shows in review.
func TestDependenciesAreThoseReviewed(t *testing.T) {
	t.Parallel()
	list := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}\t{{.Dir}}{{end}}{{end}}", ".")
	list.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	modules := strings.Split(strings.TrimSpace(string(out)), "\n")
	slices.Sort(modules)
	got := ""
	for _, line := range slices.Compact(modules) {
		module, dir, _ := strings.Cut(line, "\t")
		path, _, _ := strings.Cut(module, " ")
		spdx, err := licence(path, dir)
		if err != nil {
			t.Errorf("%s: %v", module, err)
		}
		got += module + " " + spdx + "\n"
	}
	if *update {
		if err := os.WriteFile("dependencies.txt", []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("dependencies.txt")
	if err != nil {
		t.Fatal(err)
	}
	before, after := strings.Split(string(want), "\n"), strings.Split(got, "\n")
	for _, line := range after {
		if !slices.Contains(before, line) {
			t.Errorf("the binary now links %s", line)
		}
	}
	for _, line := range before {
		if !slices.Contains(after, line) {
			t.Errorf("the binary no longer links %s", line)
		}
	}
	if t.Failed() {
		t.Log("if that is meant: go test ./cmd/export -run Dependencies -update, and say in the commit why")
	}
}
