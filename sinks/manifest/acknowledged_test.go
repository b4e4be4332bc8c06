package manifest_test

import (
	"strings"
	"testing"

	"rollcall/sinks/manifest"
)

// acknowledging is a manifest that acknowledges one of two groups that are short.
func acknowledging() manifest.Manifest {
	m := sample()
	m.ExitCode = 3
	m.Outcomes = map[string]map[string]int64{"vendor_groups.all": {"ok": 3}}
	m.Verdicts = manifest.Verdicts{Groups: map[string]int64{"short": 2, "exact": 1}, Users: map[string]int64{"over": 1}}
	m.Acknowledged = []manifest.Acknowledged{one("g1")}
	return m
}

func one(groups ...string) manifest.Acknowledged {
	declared := int64(5)
	a := manifest.Acknowledged{Verdict: "short", Source: "vendor.prod", Groups: groups, Until: "2027-03-01", Reason: "ticket 123"}
	for range groups {
		a.Declared, a.Collected = append(a.Declared, &declared), append(a.Collected, 3)
	}
	return a
}

func TestTheExitCodeIsZeroOnlyWhereAllThatDisagreesIsAcknowledged(t *testing.T) {
	t.Parallel()
	user := one("u1")
	user.Verdict, user.Groups, user.Users = "over", nil, []string{"u1"}
	for name, c := range map[string]struct {
		list    []manifest.Acknowledged
		missing string
		want    int
	}{
		"nothing":            {nil, "ok", 3},
		"one of two groups":  {[]manifest.Acknowledged{one("g1"), user}, "ok", 3},
		"groups but no user": {[]manifest.Acknowledged{one("g1", "g2")}, "ok", 3},
		"all":                {[]manifest.Acknowledged{one("g1"), user, one("g2")}, "ok", 0},
		"all but a key":      {[]manifest.Acknowledged{one("g1", "g2"), user}, "failed", 3},
	} {
		m := acknowledging()
		m.Acknowledged = c.list
		m.Outcomes["vendor_groups.all"][c.missing] = 3
		if got := m.Code(); got != c.want {
			t.Errorf("%s acknowledged: code %d, want %d", name, got, c.want)
		}
		m.ExitCode = c.want
		line := string(encode(t, m))
		if _, err := manifest.Decode([]byte(line)); err != nil {
			t.Errorf("%s acknowledged: %v", name, err)
		}
		forged := strings.Replace(line, `"exit_code":3`, `"exit_code":0`, 1)
		if _, err := manifest.Decode([]byte(forged)); c.want == 3 && c.list != nil && err == nil {
			t.Errorf("%s acknowledged: an exit code of 0 is believed", name)
		}
	}
	if a := acknowledging(); a.AcknowledgementOf("vendor.prod", "g1", false) == nil || a.AcknowledgementOf("vendor.prod", "g1", true) != nil || a.AcknowledgementOf("vendor.test", "g1", false) != nil {
		t.Error("the acknowledgement of a group is not found, or that of another is")
	}
}

func TestAnAcknowledgementThatCannotBeIsRefused(t *testing.T) {
	t.Parallel()
	good := string(encode(t, acknowledging()))
	for name, text := range map[string]string{
		"another verdict":       strings.Replace(good, `"verdict":"short"`, `"verdict":"exact"`, 1),
		"nobody":                strings.Replace(good, `"groups":["g1"]`, `"groups":[]`, 1),
		"groups and users":      strings.Replace(good, `"groups":["g1"]`, `"groups":["g1"],"users":["u1"]`, 1),
		"a figure too few":      strings.Replace(good, `"collected":[3]`, `"collected":[]`, 1),
		"until before its date": strings.Replace(good, `"until":"2027-03-01"`, `"until":"2026-11-20"`, 1),
		"until what is no date": strings.Replace(good, `"until":"2027-03-01"`, `"until":"\u001b[2J"`, 1),
		"without a reason":      strings.Replace(good, `"reason":"ticket 123"`, `"reason":" "`, 1),
		"more than are counted": strings.Replace(good, `"short":2`, `"short":0`, 1),
		"the same twice":        strings.Replace(good, `"groups":["g1"],"declared":[5],"collected":[3]`, `"groups":["g1","g1"],"declared":[5,5],"collected":[3,3]`, 1),
		"an exit code of 0":     strings.Replace(good, `"exit_code":3`, `"exit_code":0`, 1),
	} {
		if text == good {
			t.Fatalf("%s: nothing was changed in %s", name, good)
		}
		if _, err := manifest.Decode([]byte(text)); err == nil {
			t.Errorf("%s is believed", name)
		}
	}
	if _, err := manifest.Decode([]byte(strings.Replace(good, "2027-03-01", "2026-11-21", 1))); err != nil {
		t.Errorf("the last day: %v", err)
	}
}
