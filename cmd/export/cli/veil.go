package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"rollcall/pipeline"
	"rollcall/pipeline/config"
	"rollcall/pipeline/job"
	"rollcall/pipeline/pseudonym"
	"rollcall/pipeline/snapshot"
	"rollcall/schema/fault"
	"rollcall/sinks"
)

// looking is what a command needs that looks for IDs in snapshots: the keys of pseudonyms, where the
// configuration has some and they are set, and no other secret.
type looking struct {
	job  *job.Job
	sink sinks.Sink
	veil *pseudonym.Veil
	asIs bool // IDs are pseudonyms already
}

func (a *app) look(ctx context.Context) (looking, error) {
	j, err := a.loadWith(a.flags.config, config.Options{Keys: true})
	if err != nil {
		return looking{}, err
	}
	sink, err := pipeline.OpenSink(ctx, j.Sink, a.env.Now, nil, a.notice)
	return looking{job: j, sink: sink, veil: pseudonym.New(j.Columns)}, err
}

// id is how an ID that a person names stands in s. Without the key it is taken for a pseudonym. Where it
// can't stand at all, that is an error: that nobody is found under it would say nothing.
func (l looking) id(s *snapshot.Snapshot, column, id string) (string, error) {
	if id == "" {
		return id, nil
	}
	found, how := l.veil.Find(s.Columns, column, id)
	switch {
	case how == pseudonym.Plain && l.taken(column) && couldBe(id):
		return "", &fault.Error{
			Kind:    fault.Configuration,
			Message: fmt.Sprintf("the snapshot of %s has the vendor's IDs in %s, and %.80q is taken for a pseudonym", s.Date, column, id),
			Hint:    "give the vendor's ID, and set the key of the pseudonyms" + named(l.veil.From(column)),
		}
	case l.asIs:
		return id, nil
	case how == pseudonym.OtherKey:
		return "", l.otherKey(s, column)
	case how == pseudonym.NoKey && !couldBe(id):
		return "", l.noKey(s, column)
	default:
		return found, nil
	}
}

// taken tells whether IDs of a column that the configuration makes pseudonyms of are taken for such.
func (l looking) taken(column string) bool {
	return slices.ContainsFunc(l.job.Columns, func(c job.Column) bool {
		return c.Name == column && !c.Drop && (l.asIs || c.Key == "")
	})
}

// couldBe tells whether an ID has the form of a pseudonym, before which a prefix may stand.
func couldBe(id string) bool {
	const digits = 32
	return len(id) >= digits && strings.Trim(id[len(id)-digits:], "0123456789abcdef") == ""
}

// withoutKey says, at the end of a hint, that the configuration makes pseudonyms and their key is not there.
func (l looking) withoutKey() string {
	for _, c := range l.job.Columns {
		if !c.Drop && c.Key == "" && !l.asIs {
			return "; the key of the pseudonyms is not set" + named(c.From) + ", so that IDs are taken for pseudonyms"
		}
	}
	return ""
}

// hasher gives what makes pseudonyms of the records' IDs; nil where s has IDs as they are.
func (l looking) hasher(s *snapshot.Snapshot) (func(column, id string) string, error) {
	some := false
	for _, column := range []string{"group_id", "user_id"} {
		switch _, how := l.veil.Find(s.Columns, column, ""); how {
		case pseudonym.OtherKey:
			return nil, l.otherKey(s, column)
		case pseudonym.NoKey:
			return nil, l.noKey(s, column)
		case pseudonym.Made:
			some = true
		}
	}
	if !some {
		return nil, nil
	}
	return func(column, id string) string {
		found, _ := l.veil.Find(s.Columns, column, id)
		return found
	}, nil
}

func (l looking) noKey(s *snapshot.Snapshot, column string) error {
	return &fault.Error{
		Kind: fault.Configuration, Message: fmt.Sprintf("the snapshot of %s has pseudonyms in %s, and their key is not there", s.Date, column),
		Hint: "set what hmac_key names in the configuration" + named(l.veil.From(column)) + ", with the key that the snapshot was sealed with",
	}
}

func (l looking) otherKey(s *snapshot.Snapshot, column string) error {
	return &fault.Error{
		Kind:    fault.Configuration,
		Message: fmt.Sprintf("the pseudonyms in %s of the snapshot of %s were made with another key (fingerprint %s)", column, s.Date, s.Columns[column].Fingerprint),
		Hint:    "set the key that it was sealed with" + named(l.veil.From(column)),
	}
}

func named(from string) string {
	if from == "" {
		return ""
	}
	return ": " + from
}
