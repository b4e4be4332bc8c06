package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAListThatWasCutEndsWithFourUntilThatIsAccepted goes the way of a person whose list was cut: plan, run, status,
// report.
func TestAListThatWasCutEndsWithFourUntilThatIsAccepted(t *testing.T) {
	t.Parallel()
	s := plainServer(t, 200, 20, 0)
	defer s.close()
	out := t.TempDir()
	config, err := s.write(out)
	if err != nil {
		t.Fatal(err)
	}
	rollcallAt := func(want int, args ...string) outcome {
		t.Helper()
		got := realTime(t, nil, append(args, "--config", config, "--progress", "none")...)
		if got.code != want {
			t.Fatalf("%v ended with %d: %s%s", args, got.code, got.stdout, got.stderr)
		}
		return got
	}
	holds := func(what, text string, wants ...string) {
		t.Helper()
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s lacks %q:\n%s", what, want, text)
			}
		}
	}
	rollcallAt(Done, "run", "--date", "2026-11-21")
	for _, list := range []string{"rongcloud/users.txt", "rongcloud/groups.txt"} {
		path := filepath.Join(out, list)
		ids, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		short := strings.Join(strings.SplitAfter(string(ids), "\n")[:4], "")
		if err := os.WriteFile(path, []byte(short), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const cut = "ids.rongcloud_users: 4 IDs, 200 the run before (2026-11-21)"
	holds("plan", rollcallAt(Done, "plan", "--date", "2026-11-22").stdout, cut, "Warning: ids.rongcloud_users: 4 IDs, 200 on 2026-11-21", "list_shrunk")
	refused := rollcallAt(NotSealed, "run", "--date", "2026-11-22")
	holds("the refusal", refused.stderr, "check list_shrunk FAILED: ", "check uncovered FAILED: ", "memberships no longer covered by the lists, of ", "--accept list_shrunk")
	var told complaint
	if err := json.Unmarshal([]byte(rollcallAt(NotSealed, "run", "--date", "2026-11-22", "--json").stderr), &told); err != nil || told.Kind != "not_sealed" || len(told.Checks) != 5 {
		t.Errorf("as JSON: %+v, %v", told, err)
	}
	holds("status", rollcallAt(Done, "status", "--date", "2026-11-22").stdout, "list_shrunk", "uncovered")

	asked := s.world.Counts()["/user/group/query.json"].Requests
	accept := []string{"run", "--date", "2026-11-22", "--accept", "list_shrunk", "--accept", "uncovered", "--accept", "fewer_memberships"}
	holds("the answer", rollcallAt(Done, accept...).stdout, cut, " memberships no longer covered by the lists: ", "check list_shrunk FAILED, and was accepted: ",
		"built-in checks passed: emptied, list_without_rows", "Complete for the lists given: ", "Whether the lists hold all groups of the app is not known.")
	if again := s.world.Counts()["/user/group/query.json"].Requests - asked; again != 0 {
		t.Errorf("%d requests were sent again", again)
	}
	page := rollcallAt(Done, "report", "2026-11-22").stdout
	holds("the report", page, "Sealed and complete for the lists given", " memberships no longer covered by the lists", `<td role="cell" data-label="the run before" class="n">200</td>`)
	var sealed sealedAnswer
	if err := json.Unmarshal([]byte(rollcallAt(Done, append(accept, "--json")...).stdout), &sealed); err != nil || len(sealed.Lists) != 4 || sealed.Uncovered == nil || *sealed.Uncovered < 20 {
		t.Errorf("sealed as %+v, %v", sealed, err)
	}
}
