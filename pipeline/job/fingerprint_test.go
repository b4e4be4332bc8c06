package job_test

import (
	"testing"

	"rollcall/pipeline/job"
	"rollcall/schema"
	"rollcall/sources"
)

type vendor struct {
	AppKey string
	Secret schema.Secret
}

func (*vendor) Validate() []sources.Problem             { return nil }
func (*vendor) Account() sources.Account                { return sources.Account{} }
func (*vendor) Open(sources.Environment) sources.Source { return nil }
func configured(key string, secret schema.Secret) *job.Job {
	return &job.Job{Sources: []job.Source{{
		Address: "vendor.prod", Config: &vendor{key, secret}, Share: 1,
		Definition: sources.Definition{Type: "vendor", Config: func() sources.Config { return &vendor{} }},
		Budgets:    map[string]job.Budget{"a": {PerSecond: 1}, "b": {PerSecond: 2}},
	}}, Data: []job.Data{{Address: "vendor_a.all", Kind: sources.Data{Name: "a"}}}}
}

func TestFingerprintTellsValuesApartButNotSecrets(t *testing.T) {
	t.Parallel()
	first := job.Fingerprint(configured("key", "one"))
	if job.Fingerprint(configured("key", "two")) != first {
		t.Error("another secret gives another fingerprint")
	}
	if job.Fingerprint(configured("other", "one")) == first {
		t.Error("another app key gives the same fingerprint")
	}
	changed := configured("key", "one")
	changed.Data[0].Topics = true
	if job.Fingerprint(changed) == first {
		t.Error("another data block gives the same fingerprint")
	}
	changed = configured("key", "one")
	changed.Checks = job.BuiltIn()
	if job.Fingerprint(changed) != first {
		t.Error("checks that nobody wrote give another fingerprint")
	}
	changed.Checks[0].Off = true
	if job.Fingerprint(changed) == first {
		t.Error("a check that was switched off gives the same fingerprint")
	}
	changed = configured("key", "one")
	changed.Data[0].Kind.Name = "b"
	if job.Fingerprint(changed) == first {
		t.Error("another kind of data gives the same fingerprint")
	}
}

func TestPseudonymsKeepAcknowledgedIDsOutOfTheFingerprint(t *testing.T) {
	t.Parallel()
	with := func(id string, columns ...job.Column) [32]byte {
		j := configured("key", "one")
		j.Columns = columns
		j.Acknowledged = []job.Acknowledgement{{Verdict: schema.Short, Source: "vendor.prod", Groups: []string{id}, Until: "2027-03-01", Reason: "known"}}
		return job.Fingerprint(j)
	}
	if with("g1") == with("g2") || with("g1") == job.Fingerprint(configured("key", "one")) {
		t.Error("another acknowledgement gives the same fingerprint")
	}
	hidden := job.Column{Name: "group_id", Key: "0123456789abcdef"}
	if with("g1", hidden) != with("g2", hidden) {
		t.Error("an ID could be guessed from the fingerprint")
	}
}
