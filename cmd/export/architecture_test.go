package main_test

import (
	"fmt"
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// rule forbids imports: what a package of its kind may not reach, and why.
type rule struct {
	name   string
	of     func(m *module, pkg string) bool           // the packages it holds for
	forbid func(m *module, pkg, imported string) bool // an import that breaks it
	why    string
}

// TestImportsFollowTheArrows holds the direction in which data and knowledge flow:
// cmd/export -> pipeline -> sources, sinks -> schema.
func TestImportsFollowTheArrows(t *testing.T) {
	t.Parallel()
	m := load(t)
	for _, r := range rules() {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			held := 0
			for _, f := range m.files {
				if f.test || !r.of(m, f.pkg) {
					continue
				}
				held++
				for _, imported := range f.imports() {
					if r.forbid(m, f.pkg, imported) {
						t.Errorf("%s imports %s: %s", f.path, imported, r.why)
					}
				}
			}
			if held == 0 {
				t.Error("the rule holds for no file: is the folder's name still right?")
			}
		})
	}
}

func rules() []rule {
	return []rule{
		{
			name:   "schema imports nothing of Rollcall but itself",
			of:     in("schema"),
			forbid: rollcallBut("schema"),
			why:    "schema is what everything else stands on; an arrow out of it would be a circle",
		},
		{
			name:   "sources import schema alone",
			of:     in("sources"),
			forbid: rollcallBut("sources", "schema"),
			why:    "a source answers questions; who asks, stores and paces is the pipeline's affair",
		},
		{
			name:   "sinks import schema alone",
			of:     in("sinks"),
			forbid: rollcallBut("sinks", "schema"),
			why:    "a sink stores files; it must work for vendors that nobody has thought of yet",
		},
		{
			name:   "the pipeline knows no vendor and no command line",
			of:     in("pipeline"),
			forbid: anyOf(rollcallBut("pipeline", "sources", "sinks", "schema"), vendor, below("sources/all")),
			why:    "vendors reach the pipeline as definitions and in no other way, so that a new vendor changes no pipeline code",
		},
		{
			name:   "a vendor folder imports no other vendor",
			of:     isVendor,
			forbid: anyOf(vendor, below("sources/all"), below("sources/simulated")),
			why:    "vendors share nothing but the interface, so that one can change without the other",
		},
		{
			name:   "sources know neither HCL nor file formats",
			of:     in("sources"),
			forbid: external("github.com/hashicorp", "github.com/zclconf", "github.com/apache/arrow", "github.com/parquet-go", "github.com/spf13", "github.com/aws"),
			why:    "a source is the vendor's wire format and nothing else; configuration reaches it as a struct, rows leave it as structs",
		},
		{
			name:   "sinks know neither HCL nor the command line",
			of:     in("sinks"),
			forbid: external("github.com/hashicorp", "github.com/zclconf", "github.com/spf13", "github.com/vbauerster"),
			why:    "configuration reaches a sink as a struct",
		},
		{
			name:   "pipeline/config alone imports HCL",
			of:     not(in("pipeline/config")),
			forbid: external("github.com/hashicorp/hcl", "github.com/zclconf/go-cty"),
			why:    "the configuration's language is one package's affair; all others read pipeline/job",
		},
		{
			name: "test kits stay out of the binary",
			of: func(_ *module, pkg string) bool {
				return !slices.ContainsFunc(kits(), func(kit string) bool { return under(pkg, kit) })
			},
			forbid: anyOf(below("sources/sourcetest"), below("sinks/sinktest"), below("schema/disk/disktest"), below("pipeline/client/clienttest"), external("testing", "go.uber.org/goleak")),
			why:    "a test kit is for tests; only _test.go files import it",
		},
		{
			name: "only the command line serves the simulated vendors",
			of: func(_ *module, pkg string) bool {
				return !under(pkg, "sources/simulated") && !under(pkg, "cmd/export/cli")
			},
			forbid: below("sources/simulated"),
			why:    "the simulation is for demo, simulate and tests; a real run must not be able to meet it",
		},
		{
			name:   "the simulated vendors share no code with the real ones",
			of:     in("sources/simulated"),
			forbid: rollcallBut("sources/simulated"),
			why:    "a misreading that both sides share would never be found; the simulation is written from the vendors' documents alone",
		},
	}
}

// TestCallsStayWhereTheyBelong holds what may be called where.
func TestCallsStayWhereTheyBelong(t *testing.T) {
	t.Parallel()
	m := load(t)
	bans := []struct {
		name  string
		of    func(m *module, pkg string) bool
		calls []string
		why   string
	}{
		{
			name:  "exiting and printing are the command's",
			of:    not(in("cmd/export")),
			calls: []string{"os.Exit", "os.Stdout", "os.Stderr", "os.Stdin", "os.Args", "fmt.Print", "fmt.Printf", "fmt.Println", "log.*"},
			why:   "a package returns values and errors; cmd/export says them",
		},
		{
			name:  "the commands print through a printer",
			of:    in("cmd/export/cli"),
			calls: []string{"fmt.Fprint", "fmt.Fprintf", "fmt.Fprintln", "tabwriter.NewWriter"},
			why:   "a console.Printer escapes whatever it is given; what is raw by intention goes to Raw, by io.WriteString or Write",
		},
		{
			name:  "the clock is handed in",
			of:    not(in("cmd/export", "sources/simulated")), // simulated vendors are another machine, with a clock of its own
			calls: []string{"time.Now", "time.Since", "time.Until"},
			why:   "take `now func() time.Time`: with a clock of its own a package can't be tested on virtual time, and runs of one night can't be compared",
		},
		{
			name:  "the environment is handed in",
			of:    not(in("cmd/export")),
			calls: []string{"os.Getenv", "os.LookupEnv", "os.Environ"},
			why:   "what decides a run stands in the configuration or on the command line",
		},
		{
			name: "the disk is changed through schema/disk",
			of: func(_ *module, pkg string) bool {
				return !under(pkg, "schema/disk") && !under(pkg, "cmd/export") && !under(pkg, "sources/simulated") &&
					!slices.Contains([]string{"pipeline/plan", "pipeline/verify", "pipeline/reconcile", "pipeline/budget/bench"}, pkg) // none is part of a run
			},
			calls: []string{"os.Create", "os.CreateTemp", "os.OpenFile", "os.WriteFile", "os.Mkdir", "os.MkdirAll", "os.MkdirTemp", "os.Rename", "os.Link", "os.Remove", "os.RemoveAll", "os.Truncate"},
			why:   "take a disk.Disk: a test stops the world at every step that goes through it, and at no other",
		},
		{
			name:  "a vendor can't send past its budget",
			of:    isVendor,
			calls: []string{"http.DefaultClient", "http.DefaultTransport", "http.Get", "http.Post", "http.PostForm", "http.Head", "http.Client", "http.Transport", "net.Dial", "net.Dialer", "net.DialTimeout"},
			why:   "a source reaches the network through the Caller it is given and in no other way; that is what makes a budget a promise",
		},
		{
			name:  "a source never sleeps",
			of:    isVendor,
			calls: []string{"time.Sleep", "time.After", "time.NewTimer", "time.NewTicker", "time.Tick"},
			why:   "waiting, pacing and retrying are the host's",
		},
	}
	for _, ban := range bans {
		t.Run(ban.name, func(t *testing.T) {
			t.Parallel()
			for _, f := range m.files {
				if f.test || f.kit || !ban.of(m, f.pkg) {
					continue
				}
				for _, use := range f.uses() {
					if slices.ContainsFunc(ban.calls, func(call string) bool { return call == use.name || call == use.pkg+".*" }) {
						t.Errorf("%s:%d uses %s: %s", f.path, use.line, use.name, ban.why)
					}
				}
			}
		})
	}
}

// TestNothingHappensByItself: a program that can be read from main has no init and no hidden exit.
func TestNothingHappensByItself(t *testing.T) {
	t.Parallel()
	for _, f := range load(t).files {
		if f.test || f.kit {
			continue
		}
		ast.Inspect(f.tree, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Recv == nil && n.Name.Name == "init" {
					t.Errorf("%s:%d has an init function: what happens on import can't be seen where it matters; call it from main", f.path, f.line(n))
				}
			case *ast.CallExpr:
				if id, ok := n.Fun.(*ast.Ident); ok && id.Name == "panic" && f.tree.Name.Name != "main" {
					t.Errorf("%s:%d panics: return a *fault.Error of kind Bug, which keeps the state and says what to report", f.path, f.line(n))
				}
			}
			return true
		})
	}
}

// TestEveryPackageOpensWithItsContract: one package comment a package, that says what it promises.
func TestEveryPackageOpensWithItsContract(t *testing.T) {
	t.Parallel()
	comments, names := map[string]int{}, map[string]string{}
	for _, f := range load(t).files {
		if f.test {
			continue
		}
		comments[f.pkg] += 0
		names[f.pkg] = f.tree.Name.Name
		if f.tree.Doc == nil {
			continue
		}
		comments[f.pkg]++
		opening := "Package " + f.tree.Name.Name + " "
		if f.tree.Name.Name == "main" {
			opening = "Command "
		}
		if text := f.tree.Doc.Text(); !strings.HasPrefix(text, opening) {
			t.Errorf("%s: the package comment opens with %q, not with %q", f.path, firstWords(text), opening)
		}
	}
	for pkg, n := range comments {
		if n != 1 {
			t.Errorf("%s has %d package comments, want one: what it is for, what it promises, what happens on failure", pkg, n)
		}
		if slices.Contains([]string{"util", "utils", "common", "helper", "helpers", "manager", "misc", "shared", "base"}, names[pkg]) {
			t.Errorf("%s is called %s: a package is named after what it provides, so that its content can be guessed", pkg, names[pkg])
		}
	}
}

// TestFilesCanBeReadInOneSitting holds every file, tests included, under 500 lines.
func TestFilesCanBeReadInOneSitting(t *testing.T) {
	t.Parallel()
	for _, f := range load(t).files {
		if f.lines >= 500 {
			t.Errorf("%s has %d lines, want fewer than 500: cut it where its subject changes", f.path, f.lines)
		}
	}
}

// TestEveryPackageLooksForLeaks: a goroutine that outlives its test shows in the package that left it behind.
func TestEveryPackageLooksForLeaks(t *testing.T) {
	t.Parallel()
	looks := map[string]bool{}
	for _, f := range load(t).files {
		if !f.test {
			continue
		}
		looks[f.pkg] = looks[f.pkg] || slices.ContainsFunc(f.uses(), func(u use) bool { return u.name == "goleak.VerifyTestMain" })
	}
	for pkg, looks := range looks {
		if !looks {
			t.Errorf("the tests of %s have no TestMain that calls goleak.VerifyTestMain: a run goes on for hours, and a goroutine left behind at each request would end it", pkg)
		}
	}
}

// kits are the folders that only tests use.
func kits() []string {
	return []string{"sources/sourcetest", "sinks/sinktest", "schema/disk/disktest", "pipeline/client/clienttest"}
}

func firstWords(s string) string {
	words := strings.Fields(s)
	return strings.Join(words[:min(3, len(words))], " ")
}

// under tells whether pkg, a folder below the module's root, is folder or lies below it.
func under(pkg, folder string) bool { return pkg == folder || strings.HasPrefix(pkg, folder+"/") }

func in(folders ...string) func(*module, string) bool {
	return func(_ *module, pkg string) bool {
		return slices.ContainsFunc(folders, func(folder string) bool { return under(pkg, folder) })
	}
}

func not(of func(*module, string) bool) func(*module, string) bool {
	return func(m *module, pkg string) bool { return !of(m, pkg) }
}

// isVendor: a vendor is what sources/all lists.
func isVendor(m *module, pkg string) bool { return slices.Contains(m.vendors, pkg) }

type forbidden = func(m *module, pkg, imported string) bool

func anyOf(list ...forbidden) forbidden {
	return func(m *module, pkg, imported string) bool {
		return slices.ContainsFunc(list, func(f forbidden) bool { return f(m, pkg, imported) })
	}
}

// rollcallBut forbids all of this module but the folders named.
func rollcallBut(folders ...string) forbidden {
	return func(_ *module, _, imported string) bool {
		pkg, ours := strings.CutPrefix(imported, "rollcall/")
		return ours && !slices.ContainsFunc(folders, func(folder string) bool { return under(pkg, folder) })
	}
}

// below forbids one folder of this module.
func below(folder string) forbidden {
	return func(_ *module, _, imported string) bool { return under(imported, "rollcall/"+folder) }
}

// vendor forbids every vendor but the package itself; package all, which lists them, is held by no such rule.
func vendor(m *module, pkg, imported string) bool {
	other, ours := strings.CutPrefix(imported, "rollcall/")
	return ours && other != pkg && isVendor(m, other)
}

// external forbids imports that begin so.
func external(prefixes ...string) forbidden {
	return func(_ *module, _, imported string) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool { return under(imported, p) })
	}
}

// use is one mention of a name of another package, written "os.Exit" whatever the import is called.
type use struct {
	pkg, name string
	line      int
}

func (f *file) line(n ast.Node) int { return f.set.Position(n.Pos()).Line }

// uses lists what the file mentions of other packages.
func (f *file) uses() []use {
	last := map[string]string{}
	for _, spec := range f.tree.Imports {
		path := strings.Trim(spec.Path.Value, `"`)
		base := path[strings.LastIndexByte(path, '/')+1:]
		if spec.Name != nil {
			last[spec.Name.Name] = base
		} else {
			last[base] = base
		}
	}
	var found []use
	ast.Inspect(f.tree, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if id, ok := selector.X.(*ast.Ident); ok && id.Obj == nil && last[id.Name] != "" {
			found = append(found, use{last[id.Name], fmt.Sprintf("%s.%s", last[id.Name], selector.Sel.Name), f.line(selector)})
		}
		return true
	})
	return found
}
