package schema

import (
	"log/slog"
	"time"
)

// Role is what a member may do in a group.
type Role uint8

// NoRole means that no view named a role Rollcall knows; the vendor's own word stands in role_raw.
const (
	NoRole Role = iota
	Owner
	Admin
	Member
)

// String is the role as the tables spell it; empty for NoRole.
func (r Role) String() string {
	switch r {
	case Owner:
		return "owner"
	case Admin:
		return "admin"
	case Member:
		return "member"
	default:
		return ""
	}
}

// ParseRole reads a role as the tables and the configuration spell it.
func ParseRole(s string) (Role, bool) {
	for _, r := range []Role{Owner, Admin, Member} {
		if s == r.String() {
			return r, true
		}
	}
	return NoRole, false
}

// View is one of the three ways a vendor can say that a user is in a group.
type View uint8

// The views, in the order in which they stand in the tables.
const (
	UserView  View = iota // the user's own list of groups
	GroupView             // the group's own list of members
	RoleView              // the answer to "which role has this user in this group?"
)

// String is the view's name in messages.
func (v View) String() string {
	return [...]string{"user view", "group view", "role view"}[v]
}

// Outcome is what became of one key.
type Outcome string

// The outcomes. Gone and Unsupported are answers, not failures.
const (
	OK          Outcome = "ok"
	Gone        Outcome = "gone"
	Unsupported Outcome = "unsupported"
	Denied      Outcome = "denied"
	Failed      Outcome = "failed"
)

// Missing tells whether the outcome counts against what a snapshot tolerates.
func (o Outcome) Missing() bool { return o == Denied || o == Failed }

// Verdict is how complete a group or a user is known to be.
type Verdict string

// The verdicts, as product documentation defines them.
const (
	Exact              Verdict = "exact"
	Drifted            Verdict = "drifted"
	Short              Verdict = "short"
	Over               Verdict = "over"
	Unverifiable       Verdict = "unverifiable"
	VerdictFailed      Verdict = "failed"
	VerdictGone        Verdict = "gone"
	VerdictUnsupported Verdict = "unsupported"
	NotAsked           Verdict = "not_asked"
)

// Disagrees tells whether the vendor's total and what was collected differ, so that a second
// reading is due and a snapshot that keeps it is not whole.
func (v Verdict) Disagrees() bool { return v == Drifted || v == Short || v == Over }

// Text is a text that may be absent, which is not the same as empty.
type Text struct {
	Value string
	Valid bool
}

// SomeText is a text that is there.
func SomeText(s string) Text { return Text{Value: s, Valid: true} }

// Micros is a moment in microseconds since 1970 UTC that may be absent.
type Micros struct {
	Value int64
	Valid bool
}

// SomeMicros is the moment t.
func SomeMicros(t time.Time) Micros { return Micros{Value: t.UnixMicro(), Valid: true} }

// Secret is a text that never appears in a log, a message, a manifest or a report: however it is
// printed, it prints as "(secret)". Reveal is the one way to its value.
type Secret string

// Reveal gives the value, for signing and nothing else.
func (s Secret) Reveal() string { return string(s) }

// String hides the value.
func (s Secret) String() string { return "(secret)" }

// GoString hides the value from %#v.
func (s Secret) GoString() string { return "(secret)" }

// MarshalText hides the value from encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte("(secret)"), nil }

// LogValue hides the value from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue("(secret)") }
