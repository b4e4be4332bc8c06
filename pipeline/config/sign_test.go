package config_test

import (
	"fmt"
	"strings"
	"testing"

	"rollcall/pipeline/config"
)

const signing = sourceBlock + `
data "chat_user_groups" "all" { users = ids.users }
snapshot {
  sign {
    ed25519_key  = file("third.pem")
    endorsements = [file("second.endorsement"), file("third.endorsement")]
  }
}
`

func TestARotatedKeyIsReadWithWhatLeadsToIt(t *testing.T) {
	t.Parallel()
	j := mustParse(t, signing, options())
	if j.Sign == nil || j.Sign.Key.IsZero() || len(j.Sign.Endorsements) != 2 || !j.Sign.Endorsements.LeadsTo(j.Sign.Key.Public()) {
		t.Fatalf("signed by %+v", j.Sign)
	}
	if shown := fmt.Sprintf("%+v %#v", j.Sign, *j.Sign); !strings.Contains(shown, "(secret)") {
		t.Errorf("the key is shown: %s", shown)
	}
	if j := mustParse(t, sourceBlock+`data "chat_user_groups" "all" { users = ids.users }`, options()); j.Sign != nil {
		t.Errorf("nobody asked for %+v", j.Sign)
	}
}

// TestWhoReadsOnlyNeedsNoKey holds that without secrets no file is read for signing.
func TestWhoReadsOnlyNeedsNoKey(t *testing.T) {
	t.Parallel()
	o := options()
	o.Secrets = false
	o.ReadFile = func(path string) ([]byte, error) {
		t.Errorf("%s was read", path)
		return nil, nil
	}
	if j := mustParse(t, signing, o); j.Sign == nil || !j.Sign.Key.IsZero() {
		t.Errorf("signed by %+v", j.Sign)
	}
	_, faults := config.Parse("rollcall.hcl", []byte(strings.Replace(signing, `file("third.pem")`, `"hunter2"`, 1)), o)
	if !faults.HasErrors() {
		t.Error("a key in the configuration is accepted by who does not need it")
	}
}
