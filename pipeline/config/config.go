// Package config reads a configuration in HCL and gives it as plain data, a [job.Job].
//
// It promises that a job it returns is whole: every reference is resolved, every default filled
// in, every number within its range, every secret in its place. Otherwise there is no job and
// [Diagnostics] tell all faults at once, each with file, line, column, the source line and what to
// do. Secrets come from env() or file() alone; neither their values nor literals in their place
// ever appear in a diagnostic.
//
// The package is the only one that knows HCL. Vendors' attributes are those of the structs that
// their definitions hand in. It reads no environment and no file but through [Options].
package config

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty/function"

	"rollcall/pipeline/job"
	"rollcall/schema/advice"
	"rollcall/sources"
)

// Options is what the reading of a configuration is given.
type Options struct {
	Definitions []sources.Definition         // of all vendors
	Env         func(string) (string, bool)  // os.LookupEnv
	ReadFile    func(string) ([]byte, error) // os.ReadFile; for the configuration and for file()
	// Secrets asks for the values of secret attributes. Without them they are checked for where
	// they come from, and stay empty; other attributes of a source whose variable is not set stay
	// empty, too, so that an auditor needs none of them.
	Secrets bool
	// Keys asks for the keys of pseudonyms, with or without the other secrets. One that is not set
	// stays empty where Secrets are not asked for.
	Keys bool
	// FileInfo is os.Stat, for whom files with secrets are looked at: a warning tells of one that
	// others can read or replace. Nil looks at none.
	FileInfo func(string) (fs.FileInfo, error)
	// CheckList looks at a list that a data block uses, for whom lists are read: what it returns is a fault,
	// and what it warns of a warning, at the list's block. Where columns are pseudonyms, neither may name an
	// ID. Nil looks at none.
	CheckList func(list job.List, columns []job.Column, warn func(text, hint string)) error
}

// Load reads the configuration file at path. The job is nil where there are errors.
func Load(path string, options Options) (*job.Job, Diagnostics) {
	text, err := options.ReadFile(path)
	if err != nil {
		return nil, Diagnostics{list: hcl.Diagnostics{{
			Severity: hcl.DiagError,
			Summary:  fmt.Sprintf("%s cannot be read: %s", path, reason(err)),
			Detail:   "Name the configuration with --config FILE, or write a first one with {}.",
			Extra:    []advice.Command{advice.Rollcall("init")},
		}}}
	}
	return Parse(path, text, options)
}

// Parse reads a configuration from text. Path is what messages call it; its folder is that from
// which relative paths count.
func Parse(path string, text []byte, options Options) (*job.Job, Diagnostics) {
	folder, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		folder = filepath.Dir(path)
	}
	file, faults := hclparse.NewParser().ParseHCL(text, path)
	l := &loader{options: options, path: path, folder: folder, diags: faults, job: &job.Job{File: path}}
	l.functions = map[string]function.Function{"env": l.env(false), "file": l.file(false)}
	var body *hclsyntax.Body
	if file != nil {
		body, _ = file.Body.(*hclsyntax.Body)
	}
	if body != nil && !faults.HasErrors() {
		l.load(body)
	}
	d := newDiagnostics(path, text, file, l.mask(body, text, faults.HasErrors()), l.diags)
	if d.HasErrors() {
		return nil, d
	}
	return l.job, d
}

// loader reads one configuration.
type loader struct {
	options   Options
	path      string
	folder    string // absolute; relative paths count from it
	functions map[string]function.Function
	diags     hcl.Diagnostics
	job       *job.Job

	blocks    map[string]*hclsyntax.Block // by address: "source.rongcloud.prod", "ids.staff", "data.rongcloud_user_groups.staff"
	addresses []string                    // of blocks, in the order of the file
	sources   map[string]*sourceBlock     // by address without kind
	data      map[string]*dataBlock       // by address without kind; only those of a known type
	used      map[string]bool             // names of lists that are referred to
}

// labels says how many labels each block has, and what they are called in messages.
func labels(kind string) ([]string, bool) {
	switch kind {
	case "source", "data", "sink":
		return []string{"type", "name"}, true
	case "ids":
		return []string{"name"}, true
	case "snapshot":
		return nil, true
	}
	return nil, false
}

func kinds() []string { return []string{"source", "ids", "data", "sink", "snapshot"} }

func (l *loader) load(body *hclsyntax.Body) {
	l.index(body)
	l.sources = map[string]*sourceBlock{}
	l.data = map[string]*dataBlock{}
	l.used = map[string]bool{}
	l.readSources()
	l.readSink()
	l.readSnapshot()
	l.addBuiltIn()
	l.readData()
	l.readLists()
	l.checkProxies()
}

// index finds all blocks and gives them their addresses, so that references can be told apart
// from misspelt ones even where the block referred to is faulty itself.
func (l *loader) index(body *hclsyntax.Body) {
	l.blocks = map[string]*hclsyntax.Block{}
	for _, attribute := range body.Attributes {
		l.fault(attribute.NameRange, fmt.Sprintf("Unexpected attribute %q", attribute.Name), "Attributes belong into blocks. "+thereAre("blocks", kinds()))
	}
	for _, block := range body.Blocks {
		names, known := labels(block.Type)
		if !known {
			hint := didYouMean(block.Type, "blocks", kinds())
			if inner := map[string]string{"check": "snapshot", "column": "snapshot", "sign": "snapshot", "acknowledge": "snapshot", "retention": "sink", "budget": "source", "window": "source"}[block.Type]; inner != "" {
				article := "A"
				if block.Type == "acknowledge" {
					article = "An"
				}
				hint = fmt.Sprintf("%s %s goes into a %s block.", article, block.Type, inner)
			}
			l.fault(block.TypeRange, fmt.Sprintf("There is no block %q", block.Type), hint)
			continue
		}
		if !l.checkLabels(block, names) {
			continue
		}
		address := strings.Join(append([]string{block.Type}, block.Labels...), ".")
		if first, double := l.blocks[address]; double {
			l.fault(block.DefRange(), fmt.Sprintf("%s is there twice", address),
				fmt.Sprintf("It was first given at %s. %s", l.place(first.DefRange()), twiceHint(block)))
			continue
		}
		l.blocks[address] = block
		l.addresses = append(l.addresses, address)
	}
}

func twiceHint(block *hclsyntax.Block) string {
	if len(block.Labels) == 0 {
		return "Keep one of them."
	}
	return "Give one of them another name."
}

// checkLabels checks that a block has its labels, and that references can name them.
func (l *loader) checkLabels(block *hclsyntax.Block, names []string) bool {
	form := block.Type
	for _, name := range names {
		form += fmt.Sprintf(" %q", strings.ToUpper(name))
	}
	if len(block.Labels) != len(names) {
		l.fault(block.DefRange(), fmt.Sprintf("%s takes %s", block.Type, count(len(names), "label")), fmt.Sprintf("Write it as: %s { … }", form))
		return false
	}
	for i, label := range block.Labels {
		if !hclsyntax.ValidIdentifier(label) {
			l.fault(block.LabelRanges[i], fmt.Sprintf("%q cannot be a %s", label, names[i]), "Use letters, digits, _ and -, with a letter first, so that references can name it.")
			return false
		}
	}
	return true
}

// of lists the addresses of one kind of block, in the order of the file.
func (l *loader) of(kind string) []string {
	var found []string
	for _, address := range l.addresses {
		if l.blocks[address].Type == kind {
			found = append(found, address)
		}
	}
	return found
}

// localPath resolves a relative path against the configuration's folder.
func (l *loader) localPath(path string) string {
	if path == "-" || strings.HasPrefix(path, "s3://") || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(l.folder, path)
}

// fault adds one error.
func (l *loader) fault(at hcl.Range, summary, detail string) {
	l.diags = append(l.diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &at})
}

// warn adds one warning.
func (l *loader) warn(at hcl.Range, summary, detail string) {
	l.diags = append(l.diags, &hcl.Diagnostic{Severity: hcl.DiagWarning, Summary: summary, Detail: detail, Subject: &at})
}

// place is a position as messages write it.
func (l *loader) place(at hcl.Range) string {
	return fmt.Sprintf("%s:%d:%d", at.Filename, at.Start.Line, at.Start.Column)
}

// definition finds a vendor by its type.
func (l *loader) definition(name string) (sources.Definition, bool) {
	i := slices.IndexFunc(l.options.Definitions, func(d sources.Definition) bool { return d.Type == name })
	if i < 0 {
		return sources.Definition{}, false
	}
	return l.options.Definitions[i], true
}
