package config_test

import (
	"encoding/json"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rollcall/pipeline/config"
)

var update = flag.Bool("update", false, "write what is found as what is expected")

// TestFaultsAreToldAsExpected holds the text of every fault: testdata/NAME.txt is what people see
// for testdata/NAME.hcl.
func TestFaultsAreToldAsExpected(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.hcl")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			j, diagnostics := config.Parse("rollcall.hcl", text, options())
			if (j == nil) != diagnostics.HasErrors() {
				t.Errorf("there is a job: %v, there are errors: %v", j != nil, diagnostics.HasErrors())
			}
			var shown strings.Builder
			if err := diagnostics.Write(&shown, false, 100); err != nil {
				t.Fatal(err)
			}
			data, err := json.Marshal(diagnostics)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(shown.String(), "hunter2") || strings.Contains(string(data), "hunter2") {
				t.Error("a secret is shown")
			}
			golden := strings.TrimSuffix(path, ".hcl") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(shown.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil || string(want) != shown.String() {
				t.Errorf("%s is not what is told (%v); look at it, then run the test with -update:\n%s", golden, err, shown.String())
			}
		})
	}
}

func TestFaultsAsJSONNameTheirPlace(t *testing.T) {
	t.Parallel()
	_, diagnostics := config.Parse("rollcall.hcl", []byte(sourceBlock+"data \"chat_user_groups\" \"all\" {\r\n  users = ids.user\r\n}\n"), options())
	data, err := json.Marshal(diagnostics)
	if err != nil {
		t.Fatal(err)
	}
	var got []config.Diagnostic
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || diagnostics.Len() != 1 {
		t.Fatalf("got %+v", got)
	}
	want := config.Diagnostic{
		Severity: "error", Summary: "There is no ids.user", Detail: `Did you mean "ids.users"? There are these lists: ids.users, ids.rooms.`,
		File: "rollcall.hcl", Line: 9, Column: 11, EndLine: 9, EndCol: 19, Source: "  users = ids.user",
	}
	if got[0] != want {
		t.Errorf("got %+v, want %+v", got[0], want)
	}
}

func TestUnreadableConfigurationSaysWhatToDo(t *testing.T) {
	t.Parallel()
	o := options()
	o.ReadFile = func(path string) ([]byte, error) {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	j, diagnostics := config.Load("rollcall.hcl", o)
	var shown strings.Builder
	if err := diagnostics.Write(&shown, true, 0); err != nil {
		t.Fatal(err)
	}
	if j != nil || !diagnostics.HasErrors() || !strings.Contains(shown.String(), "rollcall init") || !strings.Contains(shown.String(), "rollcall.hcl cannot be read") {
		t.Errorf("got %s", shown.String())
	}
}

func TestLoadReadsTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "rollcall.hcl")
	if err := os.WriteFile(path, []byte(sourceBlock+`data "chat_user_groups" "all" { users = ids.users }`), 0o600); err != nil {
		t.Fatal(err)
	}
	o := options()
	o.ReadFile = os.ReadFile
	j, diagnostics := config.Load(path, o)
	if diagnostics.HasErrors() || j.Lists[0].Path != filepath.Join(filepath.Dir(path), "users.txt") {
		t.Fatalf("got %+v, %+v", j, diagnostics.List())
	}
}

// FuzzParse holds that no text makes the reader panic, that there is a job or an error but never
// both, and that every fault has its place within the text.
func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.hcl")
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add(sourceBlock + `data "chat_user_groups" "all" { users = ids.users }`)
	f.Add(string(config.Starter()))
	f.Fuzz(func(t *testing.T, text string) {
		j, diagnostics := config.Parse("rollcall.hcl", []byte(text), options())
		if (j == nil) != diagnostics.HasErrors() {
			t.Fatalf("there is a job: %v, there are errors: %v", j != nil, diagnostics.HasErrors())
		}
		var shown strings.Builder
		if err := diagnostics.Write(&shown, true, 80); err != nil {
			t.Fatal(err)
		}
		for _, d := range diagnostics.List() {
			if d.Summary == "" || d.Line > strings.Count(text, "\n")+1 {
				t.Fatalf("%+v", d)
			}
		}
		if strings.Contains(shown.String(), "hunter2-of") {
			t.Fatal("the value of a secret is shown")
		}
	})
}
