package config_test

import (
	"reflect"
	"testing"

	"rollcall/pipeline/config"
	"rollcall/pipeline/job"
	"rollcall/schema"
)

func TestKnownDisagreementsAreAcknowledged(t *testing.T) {
	t.Parallel()
	j, faults := config.Parse("rollcall.hcl", []byte(fromFile+`
snapshot {
  acknowledge "short" {
    groups = ["g17", "g18", "g17"]
    until  = "2027-03-01"
    reason = " ticket 123 "
  }
  acknowledge "short" {
    source = source.chat.prod
    users  = ["u1"]
    until  = "2026-12-01"
    reason = "another"
  }
  acknowledge "drifted" {
    groups = ["g17"]
    until  = "2027-03-01"
    reason = "a busy group"
  }
}
`), readable())
	if faults.Len() > 0 {
		t.Fatalf("%+v", faults.List())
	}
	want := []job.Acknowledgement{
		{Verdict: schema.Short, Source: "chat.prod", Groups: []string{"g17", "g18"}, Until: "2027-03-01", Reason: "ticket 123"},
		{Verdict: schema.Short, Source: "chat.prod", Users: []string{"u1"}, Until: "2026-12-01", Reason: "another"},
		{Verdict: schema.Drifted, Source: "chat.prod", Groups: []string{"g17"}, Until: "2027-03-01", Reason: "a busy group"},
	}
	if !reflect.DeepEqual(j.Acknowledged, want) {
		t.Errorf("%+v, want %+v", j.Acknowledged, want)
	}
}

// readable is options with a file for every secret.
func readable() config.Options {
	o := options()
	o.ReadFile = func(string) ([]byte, error) { return []byte("hunter2-of-file"), nil }
	return o
}
