package pipeline

import (
	"fmt"
	"slices"
	"strings"

	"rollcall/pipeline/check"
	"rollcall/pipeline/job"
	"rollcall/schema/advice"
	"rollcall/sinks/manifest"
)

// ChecksError says that checks keep a snapshot from being sealed. All that was fetched is kept.
type ChecksError struct {
	Date    string
	Results []manifest.Check // of all checks
	Command advice.Command   // that goes on with the night
}

// Error names the checks that failed.
func (e *ChecksError) Error() string {
	return fmt.Sprintf("the snapshot of %s is not sealed: %s failed", e.Date, strings.Join(e.names("check "), ", "))
}

// Advice says how to seal all the same; [fault.AdviceOf] finds it.
func (e *ChecksError) Advice() advice.Advice {
	accepting := e.Command
	for _, name := range e.names("") {
		accepting = accepting.With("accept", name)
	}
	todo := advice.Say("look into it first; if the snapshot is right as it is, seal it with {}: nothing is asked again", accepting)
	if slices.ContainsFunc(check.Refused(e.Results), func(c manifest.Check) bool { return job.CheckKind(c.Kind).OfLists() }) {
		return todo.Then("; if an ID list was wrong, correct it, throw away what was fetched and begin anew with {}", e.Command.With("discard", ""))
	}
	return todo
}

func (e *ChecksError) names(before string) (names []string) {
	for _, c := range check.Refused(e.Results) {
		names = append(names, before+c.Name)
	}
	return names
}

// check looks at what is about to be sealed beside what the night was compared with, writes the
// results into m, and refuses where one of them failed and nobody overruled it.
func (r *run) check(m *manifest.Manifest) error {
	if len(r.Job.Checks) == 0 {
		return nil
	}
	var base *manifest.Manifest
	if before := r.compared.base; before != nil {
		base = new(before.Manifest)
		base.Roles = r.roles // a role is new where no earlier night had it
	}
	m.Checks = check.Look(r.Job.Checks, r.Accept, *m, base)
	if len(check.Refused(m.Checks)) > 0 {
		return &ChecksError{Date: r.date, Results: m.Checks, Command: r.night.Command()}
	}
	return nil
}
