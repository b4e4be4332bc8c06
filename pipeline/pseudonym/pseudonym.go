// Package pseudonym keeps out of snapshots what a configuration asks to keep out: IDs of users and
// groups become keyed pseudonyms, and details (nicknames and the like) are left out.
//
// A pseudonym is HMAC-SHA-256 of the column's name and the ID, cut to 128 bits, in lower-case hex. One key
// gives one pseudonym for one ID, in every table, source and night, so that joins and comparisons work
// as with IDs; users and groups never share one, though they share a key. Of an ID that begins with a
// prefix that tells of which kind a group is (a topic community), the pseudonym begins so, too: what
// users' lists leave out is told by it.
//
// [Veil.Input] stands between a spool, which holds IDs as vendors tell them, and the merge: it gives
// the same rows with pseudonyms in the order of these, by sorting on disk. Who has no key can't find
// out whose a pseudonym is, nor try IDs; who has the key can, for every ID they think of.
//
// What vendors say in words may name IDs: [Veil.Message], [Veil.Hide] and [Veil.Text] leave those words out.
package pseudonym

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"rollcall/pipeline/job"
	"rollcall/schema"
	"rollcall/sinks/manifest"
)

const (
	idBytes          = 16 // of a pseudonym
	fingerprintBytes = 8  // of a key
)

// Veil is what is done to columns. A nil Veil does nothing. It is for one goroutine.
type Veil struct {
	columns     []job.Column
	user, group *keyed
	dropped     map[string]bool
	hides       bool // IDs, be their keys there or not
}

// keyed makes the pseudonyms of one column.
type keyed struct {
	column string
	keep   []string
	mac    hash.Hash
	sum    [sha256.Size]byte
	text   [2 * idBytes]byte
}

// New makes the veil that a configuration asks for; nil where it asks for none. A column of IDs whose
// key was not read is left as it is: such a veil is for looking, see [Veil.Find], not for writing.
func New(columns []job.Column) *Veil {
	if len(columns) == 0 {
		return nil
	}
	v := &Veil{columns: columns, dropped: map[string]bool{}}
	for _, c := range columns {
		v.hides = v.hides || !c.Drop && slices.Contains(schema.IDs(), c.Name)
		switch {
		case c.Drop:
			v.dropped[c.Name] = true
		case c.Key == "":
		case c.Name == "user_id":
			v.user = newKeyed(c)
		case c.Name == "group_id":
			v.group = newKeyed(c)
		}
	}
	return v
}

func newKeyed(c job.Column) *keyed {
	return &keyed{column: c.Name, keep: c.Keep, mac: hmac.New(sha256.New, []byte(c.Key.Reveal()))}
}

// digest is the HMAC of what, then the text.
func (k *keyed) digest(what, text string) []byte {
	k.mac.Reset()
	k.mac.Write([]byte(what))
	k.mac.Write([]byte{0})
	k.mac.Write([]byte(text))
	return k.mac.Sum(k.sum[:0])
}

// of is the pseudonym of an ID. A nil one leaves it as it is.
func (k *keyed) of(id string) string {
	if k == nil {
		return id
	}
	hex.Encode(k.text[:], k.digest(k.column, id)[:idBytes])
	for _, prefix := range k.keep {
		if strings.HasPrefix(id, prefix) {
			return prefix + string(k.text[:])
		}
	}
	return string(k.text[:])
}

func (k *keyed) fingerprint() string {
	return hex.EncodeToString(k.digest("rollcall fingerprint", "")[:fingerprintBytes])
}

// Pseudonymous tells whether the veil makes pseudonyms.
func (v *Veil) Pseudonymous() bool { return v != nil && (v.user != nil || v.group != nil) }

// User is the user's ID as it is written.
func (v *Veil) User(id string) string {
	if v == nil {
		return id
	}
	return v.user.of(id)
}

// Group is the group's ID as it is written.
func (v *Veil) Group(id string) string {
	if v == nil {
		return id
	}
	return v.group.of(id)
}

// Key is the key of a data block as it is written.
func (v *Veil) Key(view schema.View, key string) string {
	if view == schema.UserView {
		return v.User(key)
	}
	return v.Group(key)
}

// Sum is the fingerprint of an ID list as it is written: of few IDs, a plain one could be guessed.
func (v *Veil) Sum(sum string) string {
	if !v.Pseudonymous() {
		return sum
	}
	k := v.user
	if k == nil {
		k = v.group
	}
	return hex.EncodeToString(k.digest("rollcall list", sum))
}

// Code is a vendor's code: vendors' codes are numbers, and whatever else stands there could be an ID.
func (v *Veil) Code(code string) string {
	if _, err := strconv.ParseInt(code, 10, 32); err != nil && v.Pseudonymous() {
		return ""
	}
	return code
}

// Message is what became of a key, in words that name no ID and quote nobody.
func (v *Veil) Message(outcome schema.Outcome, code, message string) string {
	switch {
	case v == nil || message == "":
		return message
	case v.dropped["message"]:
		return ""
	case !v.Pseudonymous():
		return message
	}
	words := map[schema.Outcome]string{
		schema.Gone:        "the vendor says that there is no such user or group",
		schema.Unsupported: "the vendor tells this of no group of its type",
		schema.Denied:      "the vendor refused to tell",
	}[outcome]
	if words == "" {
		words = "no answer that can be used"
	}
	if code != "" {
		words += ", code " + code
	}
	return words + "; the full text may name IDs and is left out"
}

// hidden is an error whose quoted texts are left out.
type hidden struct {
	text string
	err  error
}

func (h *hidden) Error() string { return h.text }

func (h *hidden) Unwrap() error { return h.err }

// Hide leaves out of an error's message all that stands in quotes: IDs and vendors' words. It changes
// nothing else of the error.
func (v *Veil) Hide(err error) error {
	if err == nil {
		return err
	}
	text := v.Text(err.Error())
	if text == err.Error() {
		return err
	}
	return &hidden{text, err}
}

// Text is a message without all that stands in quotes. What is quoted came from elsewhere: whoever
// makes a message quotes it, and quotes nothing else where it matters.
func (v *Veil) Text(text string) string {
	if v == nil || !v.hides {
		return text
	}
	text = strings.ReplaceAll(text, `'"'`, "a quote") // a parser's, who names a character
	text = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`).ReplaceAllString(text, leftOut)
	if before, _, open := strings.Cut(text, `"`); open { // a quote that does not end: nothing behind it can be trusted
		text = before + leftOut
	}
	return text
}

// leftOut stands where something was quoted.
const leftOut = "(left out)"

// Columns is what the manifest says of the veil; nil where it does nothing.
func (v *Veil) Columns() map[string]manifest.Column {
	if v == nil {
		return nil
	}
	all := map[string]manifest.Column{}
	for name := range v.dropped {
		all[name] = manifest.Column{Treatment: manifest.Dropped}
	}
	for _, k := range []*keyed{v.user, v.group} {
		if k != nil {
			all[k.column] = manifest.Column{Treatment: manifest.Pseudonym, Fingerprint: k.fingerprint()}
		}
	}
	return all
}

// Differ says why the IDs of two snapshots can't be compared, by what their manifests say of columns;
// empty where they can.
func Differ(a, b map[string]manifest.Column, nameA, nameB string) string {
	for _, column := range schema.IDs() {
		x, y := a[column], b[column]
		switch {
		case x.Treatment == y.Treatment && x.Fingerprint == y.Fingerprint:
		case x.Treatment == y.Treatment:
			return fmt.Sprintf("%s stands as pseudonyms of another key in %s (fingerprint %s) than in %s (%s)", column, nameA, x.Fingerprint, nameB, y.Fingerprint)
		case x.Treatment == manifest.Pseudonym:
			return fmt.Sprintf("%s stands as pseudonyms in %s and as the vendor's IDs in %s", column, nameA, nameB)
		default:
			return fmt.Sprintf("%s stands as the vendor's IDs in %s and as pseudonyms in %s", column, nameA, nameB)
		}
	}
	return ""
}

// Found is how an ID can be looked for in a snapshot.
type Found int

// The ways.
const (
	Plain    Found = iota // the snapshot has IDs as they are
	Made                  // the snapshot has pseudonyms, and this is the one
	NoKey                 // the snapshot has pseudonyms, and the key is not there: the ID is given back as it is
	OtherKey              // the snapshot has pseudonyms of another key than this one
)

// Find gives an ID of column as it stands in a snapshot of which the manifest says columns.
func (v *Veil) Find(columns map[string]manifest.Column, column, id string) (string, Found) {
	is := columns[column]
	if is.Treatment != manifest.Pseudonym {
		return id, Plain
	}
	var k *keyed
	if v != nil {
		k = map[string]*keyed{"user_id": v.user, "group_id": v.group}[column]
	}
	switch {
	case k == nil:
		return id, NoKey
	case k.fingerprint() != is.Fingerprint:
		return "", OtherKey
	default:
		return k.of(id), Made
	}
}

// From says where the configuration takes the key of a column from: env("NAME"); empty where it has none.
func (v *Veil) From(column string) string {
	if v == nil {
		return ""
	}
	if i := slices.IndexFunc(v.columns, func(c job.Column) bool { return c.Name == column }); i >= 0 {
		return v.columns[i].From
	}
	return ""
}
