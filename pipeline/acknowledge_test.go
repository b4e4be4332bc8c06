package pipeline_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"rollcall/pipeline"
	"rollcall/pipeline/event"
	"rollcall/pipeline/job"
	"rollcall/pipeline/pseudonym"
	"rollcall/pipeline/verify"
	"rollcall/schema"
	"rollcall/sinks/local"
	"rollcall/sources/simulated"
)

// disagreeing is a world in which two groups are short, one is over, and one user is short.
func disagreeing(t *testing.T) *night {
	t.Helper()
	world := simulated.New(unlimited(simulated.Options{Seed: 2, Users: 40, Groups: 8}))
	for key, total := range map[string]int{"g000003": 5, "g000004": 2, "g000005": -1} {
		world.Fault(simulated.Fault{Path: simulated.PathGroupMembers, Key: key, Do: simulated.Total(total)})
	}
	world.Fault(simulated.Fault{Path: simulated.PathJoinedGroups, Key: "u0000007", Do: simulated.Total(1)})
	return newNight(t, world).block("rongcloud_group_members", groups("rc_groups")).block("rongcloud_joined_groups", users("rc_users"))
}

// known acknowledges groups of RongCloud until long after the date.
func known(verdict schema.Verdict, groups ...string) job.Acknowledgement {
	return job.Acknowledgement{Verdict: verdict, Source: "rongcloud.prod", Groups: groups, Until: "2027-03-01", Reason: "ticket 123"}
}

// knownUser acknowledges the user that disagrees.
func knownUser() job.Acknowledgement {
	a := known(schema.Short)
	a.Users = []string{"u0000007"}
	return a
}

// verified holds what was sealed against itself.
func (n *night) verified() {
	n.t.Helper()
	sink, err := local.Open(local.Config{Path: n.out})
	if err != nil {
		n.t.Fatal(err)
	}
	report, err := verify.Run(n.t.Context(), sink, verify.Options{All: true, Share: 1, Scratch: n.t.TempDir()})
	if err != nil || len(report.Findings) > 0 {
		n.t.Errorf("it is not as it should be: %+v %v", report.Findings, err)
	}
}

func TestWhatIsAcknowledgedStaysOutOfTheExitCode(t *testing.T) {
	t.Parallel()
	until := func(a job.Acknowledgement, date string) job.Acknowledgement { a.Until = date; return a }
	elsewhere := func(a job.Acknowledgement) job.Acknowledgement { a.Source = "tencentchat.intl"; return a }
	all := []job.Acknowledgement{known(schema.Short, "g000003", "g000004"), known(schema.Over, "g000005"), knownUser()}
	for name, c := range map[string]struct {
		list   []job.Acknowledgement
		code   int
		counts int      // entries in the manifest
		says   []string // by the notices, in their order
	}{
		"nothing":             {nil, 3, 0, nil},
		"all":                 {all, 0, 3, nil},
		"one block each":      {append([]job.Acknowledgement{known(schema.Short, "g000004"), known(schema.Short, "g000003")}, all[1:]...), 0, 4, nil},
		"the user is left":    {all[:2], 3, 2, nil},
		"a group is left":     {append([]job.Acknowledgement{known(schema.Short, "g000003")}, all[1:]...), 3, 3, nil},
		"the last day":        {append([]job.Acknowledgement{until(all[0], date)}, all[1:]...), 0, 3, nil},
		"the day after":       {append([]job.Acknowledgement{until(all[0], before)}, all[1:]...), 3, 2, []string{"W the acknowledgement of groups g000003, g000004 of rongcloud.prod as short has expired: it held until 2026-11-20 (ticket 123), and now groups g000003, g000004 count"}},
		"expired and renewed": {append(all, until(all[0], before)), 0, 3, nil},
		"another verdict":     {append([]job.Acknowledgement{known(schema.Short, "g000005")}, all[0], all[2]), 3, 2, []string{"W group g000005 of rongcloud.prod is acknowledged as short, and is over, which counts"}},
		"either verdict":      {append([]job.Acknowledgement{known(schema.Short, "g000005")}, all...), 0, 3, nil},
		"no longer needed":    {append([]job.Acknowledgement{known(schema.Short, "g000001", "g000002")}, all...), 0, 3, []string{"groups g000001, g000002 of rongcloud.prod are acknowledged as short, and are exact: that is no longer needed"}},
		"not asked":           {append([]job.Acknowledgement{known(schema.Short, "g-nowhere"), elsewhere(known(schema.Short, "g000003"))}, all...), 0, 3, []string{"group g-nowhere of rongcloud.prod is acknowledged as short, and nobody asked about it", "group g000003 of tencentchat.intl is acknowledged as short, and nobody asked about it"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := disagreeing(t)
			n.job.Acknowledged = c.list
			var said []string
			result, err := n.run(func(r *pipeline.Request) {
				r.Listen = func(e event.Event) {
					if notice, ok := e.(event.Notice); ok && strings.Contains(notice.Text, "acknowledge") {
						said = append(said, map[bool]string{true: "W "}[notice.Warning]+notice.Text)
					}
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			if result.Code != c.code || len(result.Manifest.Acknowledged) != c.counts || !slices.Equal(said, c.says) {
				t.Errorf("code %d, acknowledged %+v, told %q; want %d, %d, %q", result.Code, result.Manifest.Acknowledged, said, c.code, c.counts, c.says)
			}
			if v := result.Manifest.Verdicts; v.Groups["short"] != 2 || v.Groups["over"] != 1 || v.Users["short"] != 1 {
				t.Errorf("they are not visible any more: %+v", v)
			}
			n.verified()
		})
	}
}

func TestTheManifestSaysWhatIsAcknowledged(t *testing.T) {
	t.Parallel()
	n := disagreeing(t)
	n.job.Acknowledged = []job.Acknowledgement{known(schema.Short, "g000003", "g000001"), knownUser()}
	s := n.sealed()
	text, err := json.Marshal(s.Manifest.Acknowledged)
	if err != nil || len(s.Manifest.Acknowledged) != 2 {
		t.Fatalf("%s, %v", text, err)
	}
	for _, g := range s.groups {
		a := s.Manifest.Acknowledged[0]
		if g.GroupID == "g000003" && (!slices.Equal(a.Groups, []string{"g000003"}) || *a.Declared[0] != *g.DeclaredMembers || a.Collected[0] != g.CollectedMembers || a.Reason != "ticket 123" || a.Until != "2027-03-01" || a.Source != "rongcloud.prod") {
			t.Errorf("%s, and the group is %+v", text, g)
		}
	}
	n.job.Acknowledged = nil
	if again, err := n.run(nil); err != nil || !again.Already || again.Code != s.Code {
		t.Errorf("the sealed date ends with %d, %v", again.Code, err)
	}
}

func TestAcknowledgementsMayChangeBetweenAStopAndItsResumption(t *testing.T) {
	t.Parallel()
	n := disagreeing(t)
	n.job.Checks = []job.Check{{Name: "owners", Kind: job.Ownerless}}
	n.world.RongCloud.SetRole("g000001", ownerOf(t, n.world, "g000001"), simulated.Ordinary)
	refused := &pipeline.ChecksError{}
	if _, err := n.run(nil); !errors.As(err, &refused) {
		t.Fatalf("got %v", err)
	}
	asked := n.world.Counts()[simulated.PathGroupMembers].Requests
	n.job.Acknowledged = []job.Acknowledgement{known(schema.Short, "g000003", "g000004"), known(schema.Over, "g000005"), knownUser()}
	result, err := n.run(func(r *pipeline.Request) { r.Accept = []string{"owners"} })
	if err != nil || result.Code != 0 || n.world.Counts()[simulated.PathGroupMembers].Requests != asked {
		t.Errorf("code %d, %v", result.Code, err)
	}
}

func ownerOf(t *testing.T, world *simulated.World, group string) string {
	t.Helper()
	for m := range world.RongCloud.Truth().Memberships() {
		if m.Group == group && m.Role == "3" {
			return m.User
		}
	}
	t.Fatalf("nobody owns %s", group)
	return ""
}

func TestAcknowledgedIDsAreHiddenLikeOthers(t *testing.T) {
	t.Parallel()
	n := disagreeing(t)
	n.job.Columns = veiled(hmacKey)
	n.job.Acknowledged = []job.Acknowledgement{known(schema.Short, "g000003", "g000004", "g000001"), known(schema.Over, "g000005"), knownUser()}
	var said string
	result, err := n.run(func(r *pipeline.Request) {
		r.Listen = func(e event.Event) {
			if notice, ok := e.(event.Notice); ok {
				said += notice.Text + notice.Hint + "\n"
			}
		}
	})
	if err != nil || result.Code != 0 {
		t.Fatalf("code %d, %v", result.Code, err)
	}
	veil := pseudonym.New(n.job.Columns)
	if got := result.Manifest.Acknowledged; !slices.Equal(got[0].Groups, []string{veil.Group("g000003"), veil.Group("g000004")}) || !slices.Equal(got[2].Users, []string{veil.User("u0000007")}) {
		t.Errorf("%+v", got)
	}
	text, err := json.Marshal(result.Manifest)
	if err != nil || strings.Contains(string(text)+said, "g00000") || strings.Contains(string(text)+said, "u0000007") || !strings.Contains(said, veil.Group("g000001")+" of rongcloud.prod is acknowledged") {
		t.Errorf("IDs are named: %s\n%s (%v)", text, said, err)
	}
	n.verified()
}
