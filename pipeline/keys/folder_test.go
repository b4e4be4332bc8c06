package keys_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rollcall/pipeline/keys"
	"rollcall/schema/fault"
)

// objects is a bucket by the addresses of its objects.
type objects map[string]string

func (o objects) Open(_ context.Context, address string) (io.ReadCloser, error) {
	content, there := o[address]
	if !there {
		return nil, &fault.Error{Kind: fault.Configuration, Message: address, Err: fs.ErrNotExist}
	}
	return io.NopCloser(strings.NewReader(content)), nil
}

func (o objects) List(_ context.Context, folder string) ([]string, error) {
	names := map[string]bool{}
	for address := range o {
		if rest, inside := strings.CutPrefix(address, folder); inside && rest != "" {
			name, _, deeper := strings.Cut(rest, "/")
			if deeper {
				name += "/"
			}
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names)), nil
}

// folders reads the files below "list/" as a local folder and as one of a bucket, named with a slash and without.
func folders(t *testing.T, files map[string]string, check func(t *testing.T, where string, ids []string, err error)) {
	t.Helper()
	dir, bucket := t.TempDir(), objects{}
	for name, content := range files {
		path := filepath.Join(dir, "list", name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
		bucket["s3://bucket/list/"+name] = content
	}
	for _, path := range []string{filepath.Join(dir, "list"), "s3://bucket/list/", "s3://bucket/list"} {
		var ids []string
		err := keys.Read(t.Context(), keys.ImportOptions{Path: path, Objects: bucket, Temp: t.TempDir()}, func(id []byte) error {
			ids = append(ids, string(id))
			return nil
		})
		check(t, path, ids, err)
	}
}

func TestAFolderIsReadWhole(t *testing.T) {
	t.Parallel()
	type one struct {
		ID string `parquet:"id"`
	}
	for rule, files := range map[string]map[string]string{
		"Spark's Parquet": {
			"_SUCCESS": "", "._SUCCESS.crc": "x", ".part-00000-5b-c000.snappy.parquet.crc": "x",
			"part-00000-5b-c000.snappy.parquet": string(table(t, one{"u1"})), "part-00001-5b-c000.snappy.parquet": string(table[one](t)), "part-00002-5b-c000.snappy.parquet": string(table(t, one{"u2"})),
		},
		"Spark's CSV":        {"_SUCCESS": "", "part-00000-5b.csv": "id\nu1\n", "part-00001-5b.csv": "id\nu2\n", "part-00002-5b.csv": ""},
		"Spark's JSON":       {"part-00000-5b.json": "{\"id\":\"u1\"}\n", "part-00001-5b.json": "{\"id\":\"u2\"}\n"},
		"packed texts":       {"part-00000.gz": string(zip(t, []byte("u1\n"))), "part-00001.gz": string(zip(t, []byte("u2\n")))},
		"Hive's names":       {"000000_0": "u1\n", "000001_0": "u2\n"},
		"a committed job":    {"_started_7": "", "_committed_7": "{}", "part-0.csv": "id\nu1\nu2\n"},
		"a folder cleared":   {"_SUCCESS": "", "_temporary/0/x": "", "part-0.txt": "u1\nu2\n"},
		"files of any names": {"a.csv": "id\nu1\n", "b.csv.gz": string(zip(t, []byte("id\nu2\n")))},
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			folders(t, files, func(t *testing.T, where string, ids []string, err error) {
				if err != nil || !slices.Equal(ids, []string{"u1", "u2"}) {
					t.Errorf("%s: %q, %v", where, ids, err)
				}
			})
		})
	}
}

func TestAFolderThatIsNoListIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule          string
		files         map[string]string
		message, hint string
	}{
		{"a job that did not end", map[string]string{"_temporary/0/task": "", "part-0.csv": "id\nu1\n"}, `is not whole: there is _temporary/`, "wait for the job"},
		{"a job that was not committed", map[string]string{"_started_7": "", "part-0.csv": "id\nu1\n"}, `is not whole: there is _started_7`, "wait for the job"},
		{"a Delta table", map[string]string{"_delta_log/0.json": "{}", "part-0.parquet": "x"}, "only some files count", "files of their own"},
		{"partitions", map[string]string{"date=2026-11-01/part-0.csv": "id\nu1\n"}, `holds further folders, such as "date=2026-11-01/"`, "one ids block each"},
		{"nothing but marks", map[string]string{"_SUCCESS": ""}, "holds no list", "a folder with its parts"},
		{"several formats", map[string]string{"a.csv": "id\nu1\n", "b.txt": "u2\n"}, `several formats, "a.csv" and "b.txt"`, "give one of them"},
		{"another file", map[string]string{"a.csv": "id\nu1\n", "b.xlsx": ""}, "b.xlsx is a list of no known format", "name it"},
		{"files without headers", map[string]string{"a.csv": "u1\nu2\n", "b.csv": "u3\nu4\n"}, `list/b.csv:1: the first line is "u3", and another file of the folder begins with "u1"`, "header = false"},
		{"a slip in its second file", map[string]string{"a.csv": "id\nu1\n", "b.csv": "id\nu2 \n"}, `list/b.csv:2: "u2 " begins or ends`, "take the blanks out"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			folders(t, c.files, func(t *testing.T, where string, _ []string, err error) {
				if fault.KindOf(err) != fault.Configuration || !strings.Contains(err.Error(), c.message) || !strings.Contains(fault.HintOf(err), c.hint) {
					t.Errorf("%s: %v, hint %q", where, err, fault.HintOf(err))
				}
			})
		})
	}
}

func TestAPatternIsRefusedNamingWhatToGive(t *testing.T) {
	t.Parallel()
	for _, path := range []string{filepath.Join(t.TempDir(), "*.parquet"), "s3://bucket/users-*.csv"} {
		err := keys.Read(t.Context(), keys.ImportOptions{Path: path, Objects: objects{}}, func([]byte) error { return nil })
		if fault.KindOf(err) != fault.Configuration || !strings.Contains(err.Error(), "cannot be read") || !strings.Contains(fault.HintOf(err), "give the folder") {
			t.Errorf("%s: %v, hint %q", path, err, fault.HintOf(err))
		}
	}
}
