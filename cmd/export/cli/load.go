package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"runtime"

	"rollcall/cmd/export/console"
	"rollcall/pipeline/config"
	"rollcall/pipeline/job"
	"rollcall/sources/all"
)

// faulty is a configuration with faults. It is shown whole: every fault with its place.
type faulty struct {
	file        string
	diagnostics config.Diagnostics
}

// Error counts what was found.
func (f *faulty) Error() string { return fmt.Sprintf("%s can't be used", f.file) }

// load reads the configuration; warnings are told at once. Commands that ask no vendor leave
// secrets alone, so that they can be run by those who have none.
func (a *app) load(secrets bool) (*job.Job, error) { return a.loadFile(a.flags.config, secrets) }

func (a *app) loadFile(path string, secrets bool) (*job.Job, error) {
	if !secrets {
		return a.loadWith(path, config.Options{})
	}
	return a.loadWith(path, config.Options{Secrets: true, FileInfo: fileInfo()})
}

// fileInfo tells who can read files, where the system knows such rights.
func fileInfo() func(string) (fs.FileInfo, error) {
	if runtime.GOOS == "windows" {
		return nil
	}
	return os.Stat
}

// read reads the configuration at path as options ask, and tells nobody what it found.
func (a *app) read(path string, options config.Options) (*job.Job, config.Diagnostics) {
	options.Definitions, options.Env, options.ReadFile = all.Definitions(), a.env.LookupEnv, os.ReadFile
	j, found := config.Load(path, options)
	return j, found.Saying(a.line)
}

// loadWith is load for the configuration at path as options ask.
func (a *app) loadWith(path string, options config.Options) (*job.Job, error) {
	j, diagnostics := a.read(path, options)
	if diagnostics.HasErrors() {
		return nil, &faulty{path, diagnostics}
	}
	if diagnostics.Len() > 0 && !a.flags.json {
		a.show(diagnostics)
	}
	a.warnings = diagnostics
	return j, nil
}

// show writes faults and warnings to stderr with the source lines that they are about.
func (a *app) show(d config.Diagnostics) {
	width, _ := a.env.Width() // 0 where stderr is no terminal: lines stay as long as they are
	var text bytes.Buffer
	_ = d.Write(&text, false, width) // into memory: can't fail
	for line := range bytes.Lines(text.Bytes()) {
		a.talk.Printer().Println(string(bytes.TrimRight(line, "\n")))
	}
}

// complainOf tells all faults of a configuration.
func (a *app) complainOf(f *faulty) {
	if !a.flags.json {
		a.show(f.diagnostics)
		a.talk.Printer().Println(count(f.diagnostics.Len(), "fault")) // with faults there are no warnings
		return
	}
	line, _ := json.Marshal(f.said())                           // plain data: can't fail
	_, _ = a.talk.Raw().Write(append(console.JSON(line), '\n')) // talk never fails
}

// faultsAnswer is the faults of a configuration as a script reads them.
type faultsAnswer struct {
	complaint
	Valid  bool               `json:"valid"`
	Faults config.Diagnostics `json:"faults"`
}

func (f *faulty) said() faultsAnswer {
	return faultsAnswer{complaint{Error: f.Error(), Kind: "configuration", Code: ChangeFirst}, false, f.diagnostics}
}
