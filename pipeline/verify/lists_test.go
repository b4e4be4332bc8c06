package verify_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"rollcall/pipeline/verify"
	"rollcall/sinks/manifest"
)

// formerLists puts the lists of a manifest back into the object by name that older versions sealed.
func formerLists(t *testing.T, encoded []byte) []byte {
	t.Helper()
	var m manifest.Manifest
	if err := json.Unmarshal(encoded, &struct {
		Lists *manifest.Lists `json:"lists"`
	}{&m.Lists}); err != nil {
		t.Fatal(err)
	}
	var lists []string
	for _, l := range m.Lists {
		lists = append(lists, fmt.Sprintf(`%q:{"sha256":%q,"unique":%d,"read":%d}`, l.Name, l.SHA256, l.IDs, l.Read))
	}
	before, rest, found := bytes.Cut(encoded, []byte(`"lists":[`))
	_, after, ended := bytes.Cut(rest, []byte(`],"files":`))
	if !found || !ended {
		t.Fatalf("no lists in %s", encoded)
	}
	return fmt.Appendf(nil, `%s"lists":{%s},"files":%s`, before, strings.Join(lists, ","), after)
}

func TestManifestsWithTheirListsByNameAreProved(t *testing.T) {
	t.Parallel()
	dates := nights()[:3]
	h := simulate(t, false, dates...)
	h.write(t, manifest.Path(dates[0]), formerLists(t, h.read(t, manifest.Path(dates[0]))))
	sum := manifest.Sum(h.read(t, manifest.Path(dates[0])))
	h.edit(t, dates[1], func(m *manifest.Manifest) { m.Previous.SHA256, m.ChangesBaseSum = sum, &sum })
	sum = manifest.Sum(h.read(t, manifest.Path(dates[1])))
	h.edit(t, dates[2], func(m *manifest.Manifest) { m.Previous.SHA256, m.ChangesBaseSum = sum, &sum })
	if r := h.verified(t, func(o *verify.Options) { o.All = true }); len(r.Findings) > 0 {
		t.Errorf("found %+v", r.Findings)
	}
}

// TestWhatAManifestSaysOfItsListsIsHeldAgainstItsBase has a list say that it had fewer IDs the night before, which
// would hide that it was cut, and that it holds more than were read.
func TestWhatAManifestSaysOfItsListsIsHeldAgainstItsBase(t *testing.T) {
	t.Parallel()
	dates := nights()[:2]
	h := simulate(t, false, dates...)
	for _, c := range []struct {
		change func(*manifest.List)
		want   string
	}{
		{func(l *manifest.List) { n := *l.Before - 1; l.Before = &n }, "and _snapshots/" + dates[0] + ".json says"},
		{func(l *manifest.List) { l.Read = l.IDs - 1 }, "were read"},
	} {
		h := h.copied(t)
		h.edit(t, dates[1], func(m *manifest.Manifest) { c.change(&m.Lists[0]) })
		r := h.verified(t, func(*verify.Options) {})
		if len(r.Findings) != 1 || r.Findings[0].Kind != verify.Figures || !strings.Contains(r.Findings[0].Message, c.want) {
			t.Errorf("%s: found %+v", c.want, r.Findings)
		}
	}
}

func TestMoreGroupsWithoutAnOwnerThanThereAreIsFound(t *testing.T) {
	t.Parallel()
	h := simulate(t, false, nights()[0])
	h.edit(t, nights()[0], func(m *manifest.Manifest) { // as older versions wrote it, without the empty ones
		m.Ownership = manifest.Ownership{Judged: 1, Ownerless: 1_000_000}
	})
	r := h.verified(t, func(*verify.Options) {})
	if len(r.Findings) != 1 || r.Findings[0].Kind != verify.Figures || !strings.Contains(r.Findings[0].Message, "1000000 have none") {
		t.Errorf("found %+v", r.Findings)
	}
}

func TestMoreIDsWithoutAMembershipThanThereAreIsFound(t *testing.T) {
	t.Parallel()
	h := simulate(t, false, nights()[0])
	h.edit(t, nights()[0], func(m *manifest.Manifest) {
		n := m.Lists[0].IDs + 1
		m.Lists[0].WithoutRows = &n
	})
	r := h.verified(t, func(*verify.Options) {})
	if len(r.Findings) != 1 || r.Findings[0].Kind != verify.Figures || !strings.Contains(r.Findings[0].Message, "are without a membership") {
		t.Errorf("found %+v", r.Findings)
	}
}
