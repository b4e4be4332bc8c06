package pipeline

import (
	"slices"

	"rollcall/schema/advice"
	"rollcall/sinks/manifest"
)

// tellSigner warns where nothing leads from the key of the snapshot that was sealed last to this
// run's: an auditor who holds that key would call the new snapshot unsigned, or a stranger's, and
// what is sealed can't be signed anew.
func (r *run) tellSigner(latest manifest.Sealed) {
	if latest.Signature == nil {
		return
	}
	old, err := latest.Signature.Key()
	if err != nil {
		return // for verify to find
	}
	switch s := r.Job.Sign; {
	case s == nil:
		r.notice("the snapshot of "+latest.Date+", sealed before this one, is signed, and this one is not",
			"keep `sign` in the snapshot block: verify with a public key calls unsigned what comes after a signed snapshot")
	case s.Key.Public() == old || slices.Contains(s.Endorsements.Keys(), old):
	default:
		r.notice("the snapshot of "+latest.Date+" was signed by key "+old.ID()+", and no endorsement links it to the current key, "+s.Key.ID(),
			"name in `endorsements` what keygen --rotate wrote beside the new key, and seal this date again with {}",
			advice.Rollcall("run").With("replace", "").With("date", r.date))
	}
}
