package manifest_test

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"rollcall/sinks/manifest"
)

// withFormerLists is a manifest as versions before this one sealed it, with its lists as an object by name.
func withFormerLists(line string) string {
	before, rest, _ := strings.Cut(line, `"lists":`)
	_, after, _ := strings.Cut(rest, `],"files":`)
	return before + `"lists":{"rooms":{"sha256":"` + strings.Repeat("01", 32) + `","unique":0,"read":0},"staff":{"sha256":"` + strings.Repeat("00", 32) + `","unique":2,"read":3}},"files":` + after
}

func TestAManifestWithItsListsByNameIsReadAndKeepsItsBytes(t *testing.T) {
	t.Parallel()
	former := withFormerLists(string(encode(t, sample())))
	m, err := manifest.Decode([]byte(former))
	if err != nil {
		t.Fatal(err)
	}
	want := manifest.Lists{{Name: "rooms", SHA256: strings.Repeat("01", 32)}, {Name: "staff", IDs: 2, SHA256: strings.Repeat("00", 32), Read: 3}}
	if !reflect.DeepEqual(m.Lists, want) {
		t.Errorf("read as %+v", m.Lists)
	}
	if again := string(encode(t, m)); again != former {
		t.Errorf("encoded again as\n%s\nsealed as\n%s", again, former)
	}
	empty := strings.Replace(former, former[strings.Index(former, `"lists":`):strings.Index(former, `,"files":`)], `"lists":{}`, 1)
	if m, err = manifest.Decode([]byte(empty)); err != nil {
		t.Fatal(err)
	}
	if again := string(encode(t, m)); again != empty {
		t.Errorf("without lists, encoded again as\n%s", again)
	}
}

func TestASignatureOverListsByNameHolds(t *testing.T) {
	t.Parallel()
	m, err := manifest.Decode([]byte(withFormerLists(string(encode(t, sample())))))
	if err != nil {
		t.Fatal(err)
	}
	_, line := sign(t, m, signer(t, 1))
	if !bytes.Contains(line, []byte(`"lists":{"rooms"`)) {
		t.Fatalf("signed as %s", line)
	}
	read, err := manifest.Decode(line)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := manifest.CheckSignature(*read.Signature, line); err != nil {
		t.Error(err)
	}
}

func TestAListIsFoundByItsName(t *testing.T) {
	t.Parallel()
	if list, found := sample().Lists.Find("staff"); !found || *list.Before != 1121 {
		t.Errorf("staff is %+v", list)
	}
	if _, found := sample().Lists.Find("nobody"); found {
		t.Error("a list that is not there was found")
	}
}
