package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"rollcall/sinks/sinktest"
)

// listFolder is a folder with a configuration and its lists.
type listFolder struct {
	t   *testing.T
	dir string
}

func newListFolder(t *testing.T) *listFolder { return &listFolder{t, t.TempDir()} }

func (l *listFolder) write(name, text string) string {
	l.t.Helper()
	path := filepath.Join(l.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
	return path
}

const vendorOfLists = `source "rongcloud" "prod" {
  app_key    = env("RONGCLOUD_APP_KEY")
  app_secret = env("RONGCLOUD_APP_SECRET")
}
`

// with runs a command with variables set.
func (l *listFolder) with(env Env) int {
	env.LookupEnv = func(name string) (string, bool) { return "value-of-" + name, true }
	return Main(l.t.Context(), env)
}

func TestValidateTellsTheFaultsOfAllListsAtOnce(t *testing.T) {
	t.Parallel()
	l := newListFolder(t)
	l.write("blank.txt", "u1\nu2 \n")
	l.write("wide.csv", "user_id;name\nu1;A\n")
	l.write("typo.csv", "user_id,name\nu1,A\n")
	l.write("floats.csv", "user_id\n10001.0\n10002.0\n")
	l.write("book.xlsx", "PK")
	l.write("good.txt", "u1\n")
	names := []string{"blank.txt", "wide.csv", "typo.csv", "floats.csv", "book.xlsx", "none.txt", "good.txt", "*.parquet"}
	text, used := vendorOfLists, []string{}
	for i, name := range names {
		text += fmt.Sprintf("ids \"l%d\" {\n  path = %q\n", i, name)
		if name == "typo.csv" {
			text += "  column = \"userid\"\n"
		}
		text += "}\n"
		used = append(used, fmt.Sprintf("ids.l%d", i))
	}
	text += `data "rongcloud_user_groups" "all" { users = [` + strings.Join(used, ", ") + "] }\nsnapshot { tolerate_failed = \"101%\" }\n"
	config := l.write("rollcall.hcl", text)
	var stdout, stderr bytes.Buffer
	env := testEnv(&stdout, &stderr, "validate", "--json", "--config", config) // secrets are missing, too
	if code := Main(t.Context(), env); code != ChangeFirst {
		t.Errorf("validate ended with %d", code)
	}
	var answer struct {
		Valid  bool
		Faults []struct {
			Line                    int
			Summary, Detail, Source string
		}
	}
	if err := json.Unmarshal(stdout.Bytes(), &answer); err != nil || answer.Valid {
		t.Fatalf("%v: %s", err, stdout.String())
	}
	said := map[string]string{}
	for _, f := range answer.Faults {
		said[strings.TrimSpace(f.Source)] += f.Summary + " | " + f.Detail + "\n"
	}
	for source, want := range map[string]string{
		`ids "l0" {`:                            `blank.txt:2: "u2 " begins or ends with blank space | Take the blanks out`,
		`ids "l1" {`:                            `which seems to be several with ";" between them | Name what divides the columns: delimiter = ";"`,
		`ids "l2" {`:                            `no column "userid": there are 2 columns, "user_id", "name" | Did you mean "user_id"?`,
		`ids "l3" {`:                            `a spreadsheet or pandas made floats of IDs`,
		`ids "l4" {`:                            `is a list of no known format`,
		`ids "l5" {`:                            `none.txt cannot be read: no such file or directory`,
		`ids "l7" {`:                            `Patterns are not expanded: give the folder`,
		`snapshot { tolerate_failed = "101%" }`: "tolerate_failed",
		`app_key    = env("RONGCLOUD_APP_KEY")`: "RONGCLOUD_APP_KEY",
	} {
		if !strings.Contains(said[source], want) {
			t.Errorf("at %s: %q, want %q", source, said[source], want)
		}
	}
	if said[`ids "l6" {`] != "" {
		t.Errorf("the list that is well: %s", said[`ids "l6" {`])
	}
}

func TestValidateSaysWhichListsItDidNotRead(t *testing.T) {
	t.Parallel()
	l := newListFolder(t)
	config := l.write("rollcall.hcl", vendorOfLists+`ids "far" { path = "s3://lists/users.txt" }
ids "piped" { path = "-" }
ids "folder" { path = "parts" }
data "rongcloud_user_groups" "all" { users = [ids.far, ids.piped, ids.folder] }
`)
	if err := os.Mkdir(filepath.Join(l.dir, "parts"), 0o755); err != nil {
		t.Fatal(err)
	}
	l.write("parts/_SUCCESS", "")
	l.write("parts/part-00000.csv", "user_id\nu1\n")
	for _, format := range []string{"", "--json"} {
		var stdout, stderr bytes.Buffer
		env := testEnv(&stdout, &stderr, strings.Fields("validate --config "+config+" "+format)...)
		env.Stdin = strings.NewReader("not read")
		if code := l.with(env); code != Done {
			t.Errorf("validate ended with %d: %s", code, stderr.String())
		}
		said := stderr.String() + stdout.String()
		for _, want := range []string{"ids.far is not read: s3://lists/users.txt", "ids.piped is not read: -", "user_id", "is taken for the name of the column"} {
			if !strings.Contains(said, want) {
				t.Errorf("validate %s does not say %q: %s", format, want, said)
			}
		}
		if left, _ := env.Stdin.(*strings.Reader); left.Len() != len("not read") {
			t.Error("standard input was read")
		}
	}
}

func TestValidateNamesNobodyWhereIDsBecomePseudonyms(t *testing.T) {
	t.Parallel()
	l := newListFolder(t)
	l.write("a.csv", "u0000001\nu0000002\n")
	l.write("b.txt", "u0000003 \n")
	text := vendorOfLists + `ids "a" { path = "a.csv" }
ids "b" { path = "b.txt" }
data "rongcloud_user_groups" "all" { users = [ids.a, ids.b] }
snapshot {
  column "user_id" { hmac_key = env("HMAC_KEY") }
}
`
	for _, config := range []string{text, strings.Replace(text, "ids.a, ids.b", "ids.a", 1)} {
		var stdout, stderr bytes.Buffer
		l.with(testEnv(&stdout, &stderr, "validate", "--config", l.write("rollcall.hcl", config)))
		if said := stdout.String() + stderr.String(); strings.Contains(said, "u000000") || !strings.Contains(said, "left out") {
			t.Errorf("validate says %s", said)
		}
	}
}

func TestTheHeaderThatIsTakenIsToldByEveryCommandThatReadsLists(t *testing.T) {
	t.Parallel()
	s := plainServer(t, 12, 4, 0)
	defer s.close()
	dir := t.TempDir()
	config, err := s.write(dir)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	text = regexp.MustCompile(`(?m)^(ids "rongcloud_users" +\{ path = )"[^"]*"`).ReplaceAll(text, []byte(`${1}"users.csv"`))
	if !bytes.Contains(text, []byte(`"users.csv"`)) {
		t.Fatalf("there is no such list:\n%s", text)
	}
	for name, content := range map[string]string{"users.csv": strings.Join(s.world.RongCloud.UserIDs(), "\n") + "\n", "rollcall.hcl": string(text)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, command := range []string{"validate", "plan", "plan --json", "run --progress none", "run --progress log --date 2026-11-22"} {
		got := realTime(t, nil, append(strings.Fields(command), "--config", config)...)
		if got.code != Done || !strings.Contains(got.stderr, "looks like an ID and is taken for the name of the column: it is not asked") || !strings.Contains(got.stderr, "header = false") {
			t.Errorf("%s ended with %d and said %s", command, got.code, got.stderr)
		}
	}
}

// TestListsInABucketEndWithAHintAboutTheList is not parallel: the SDK reads its keys from the environment of the process.
func TestListsInABucketEndWithAHintAboutTheList(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	bucket := &sinktest.Bucket{Name: "lists"}
	bucket.Put("users/part-00000.csv", []byte("user_id\nu1\nu2\n"))
	bucket.Put("users/part-00001.csv", []byte("user_id\nu3\n"))
	bucket.Put("users/_SUCCESS", nil)
	bucket.Put("users.txt", []byte("u1\n"))
	here := httptest.NewServer(bucket)
	defer here.Close()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/lists/users.txt" || strings.Contains(r.Header.Get("Authorization"), "/ap-northeast-1/s3/") { // the sink lies here
			bucket.ServeHTTP(w, r)
			return
		}
		w.Header().Set("X-Amz-Bucket-Region", "ap-northeast-1")
		w.WriteHeader(http.StatusMovedPermanently)
		fmt.Fprint(w, "<Error><Code>PermanentRedirect</Code></Error>")
	}))
	defer elsewhere.Close()
	for _, test := range []struct {
		rule, sink, ids string
		code            int
		want, hint      string
	}{
		{"an object", here.URL, `path = "s3://lists/users.txt"`, Done, "1 users", ""},
		{"a folder", here.URL, `path = "s3://lists/users/"`, Done, "3 users", ""},
		{"a folder named like a file", here.URL, "path = \"s3://lists/users\"\ncolumn = \"user_id\"", Done, "3 users", ""},
		{"no object", here.URL, `path = "s3://lists/none.txt"`, ChangeFirst, "ids.staff: s3://lists/none.txt", "correct the path"},
		{"no object behind two slashes", here.URL, `path = "s3://lists//users.txt"`, ChangeFirst, "s3://lists//users.txt", "two slashes"},
		{"a pattern", here.URL, `path = "s3://lists/*.txt"`, ChangeFirst, "s3://lists/*.txt cannot be read", "give the folder"},
		{"no bucket", here.URL, `path = "s3://others/users.txt"`, ChangeFirst, "s3://others/users.txt", "correct the bucket in the path"},
		{"a bucket elsewhere", elsewhere.URL, `path = "s3://lists/users.txt"`, ChangeFirst, "the bucket lies in region ap-northeast-1", `set region = "ap-northeast-1" in the ids block`},
		{"a region of its own", elsewhere.URL, "path = \"s3://lists/users.txt\"\nregion = \"ap-northeast-1\"", Done, "1 users", ""},
		{"an endpoint of its own", elsewhere.URL, "path = \"s3://lists/users.txt\"\nendpoint = \"" + here.URL + "\"", Done, "1 users", ""},
	} {
		l := newListFolder(t)
		config := l.write("rollcall.hcl", vendorOfLists+fmt.Sprintf(`ids "staff" {
%s
}
data "rongcloud_user_groups" "all" { users = ids.staff }
sink "s3" "lake" {
  bucket   = "lists"
  prefix   = "im"
  region   = "us-east-1"
  endpoint = %q
}
`, test.ids, test.sink))
		var stdout, stderr bytes.Buffer
		code := l.with(testEnv(&stdout, &stderr, "plan", "--config", config))
		said := stdout.String() + stderr.String()
		if code != test.code || !strings.Contains(said, test.want) || !strings.Contains(said, test.hint) || strings.Contains(said, "sink block") {
			t.Errorf("%s: %d, %s", test.rule, code, said)
		}
	}
}
