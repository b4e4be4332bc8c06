package verify

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"rollcall/sinks/manifest"
)

// canonical tells in what a manifest's bytes are not those that Rollcall writes for it. Members
// that a later version has added may be absent.
func canonical(m manifest.Manifest, encoded []byte) error {
	again, err := manifest.Encode(m)
	if err != nil || bytes.Equal(again, encoded) {
		return err
	}
	line := bytes.TrimSuffix(encoded, []byte("\n"))
	compact := jsontext.Value(bytes.Clone(line))
	if err := compact.Compact(); err != nil {
		return err
	}
	if !bytes.Equal(compact, line) {
		return fmt.Errorf("it has blanks between its words")
	}
	return sameValue("", jsontext.NewDecoder(bytes.NewReader(line)), jsontext.NewDecoder(bytes.NewReader(again)))
}

// sameValue compares the next values of both, but for members that got lacks.
func sameValue(name string, got, want *jsontext.Decoder) error {
	if got.PeekKind() != '{' || want.PeekKind() != '{' {
		return samePlain(name, got, want)
	}
	if _, err := got.ReadToken(); err != nil {
		return err
	}
	if _, err := want.ReadToken(); err != nil {
		return err
	}
	for got.PeekKind() == '"' {
		member, err := got.ReadToken()
		if err != nil {
			return err
		}
		if err := seek(member.String(), want); err != nil {
			return err
		}
		if err := sameValue(strings.TrimPrefix(name+"."+member.String(), "."), got, want); err != nil {
			return err
		}
	}
	_, err := got.ReadToken()
	for err == nil && want.PeekKind() != '}' {
		err = want.SkipValue()
	}
	if err == nil {
		_, err = want.ReadToken()
	}
	return err
}

// seek goes to the value of a member.
func seek(member string, in *jsontext.Decoder) error {
	for in.PeekKind() == '"' {
		name, err := in.ReadToken()
		if err != nil {
			return err
		}
		if name.String() == member {
			return nil
		}
		if err := in.SkipValue(); err != nil {
			return err
		}
	}
	return fmt.Errorf("%q is not where it belongs", member)
}

// samePlain compares values that are no objects; those in arrays are compared whole, one by one.
func samePlain(name string, got, want *jsontext.Decoder) error {
	if got.PeekKind() != '[' || want.PeekKind() != '[' {
		a, err := got.ReadValue()
		if err != nil {
			return err
		}
		a = a.Clone()
		b, err := want.ReadValue()
		if err == nil && !bytes.Equal(a, b) {
			err = fmt.Errorf("%s is written %.60s, not %.60s", name, a, b)
		}
		return err
	}
	for _, d := range []*jsontext.Decoder{got, want} {
		if _, err := d.ReadToken(); err != nil {
			return err
		}
	}
	for i := 0; got.PeekKind() != ']' && want.PeekKind() != ']'; i++ {
		if err := sameValue(name+"."+strconv.Itoa(i), got, want); err != nil {
			return err
		}
	}
	for _, d := range []*jsontext.Decoder{got, want} {
		if token, err := d.ReadToken(); err != nil || token.Kind() != ']' {
			return fmt.Errorf("%s has another length (%w)", name, orEOF(err))
		}
	}
	return nil
}

func orEOF(err error) error {
	if err == nil {
		return io.ErrUnexpectedEOF
	}
	return err
}

// claims holds the words of one manifest against each other.
func (v *verifier) claims(n *node) {
	if want := n.Code(); n.ExitCode != want {
		v.found.add(Figures, n.Path, "its exit code is %d, and its outcomes, its verdicts and what it acknowledges make it %d", n.ExitCode, want)
	}
	if n.ChangesBase != nil && *n.ChangesBase >= n.Date {
		v.found.add(Figures, n.Path, "its changes are against %.40q, which is not before %s", *n.ChangesBase, n.Date)
	}
	if n.Ownership.Ownerless > n.Ownership.Judged {
		v.found.add(Figures, n.Path, "of %s whose owner can be told %d have none", plural(n.Ownership.Judged, "group"), n.Ownership.Ownerless)
	}
	for _, list := range n.Lists {
		if list.Read < list.IDs {
			v.found.add(Figures, n.Path, "ids.%.40q has %s, and %d were read", list.Name, plural(list.IDs, "ID"), list.Read)
		}
		if list.WithoutRows != nil && *list.WithoutRows > list.IDs {
			v.found.add(Figures, n.Path, "of the %s in ids.%.40q %d are without a membership", plural(list.IDs, "ID"), list.Name, *list.WithoutRows)
		}
	}
	last := map[string]manifest.File{}
	for _, f := range n.Files {
		v.sealedSums[f.SHA256] = append(v.sealedSums[f.SHA256], f.Path)
		v.sealedSizes[f.Size] = true
		if !strings.HasPrefix(f.Path, partition(f.Table, n.Date)) || !slices.Contains(v.tables, f.Table) {
			v.found.add(Misplaced, f.Path, "%s names it as a file of the table %.40q", n.Path, f.Table)
		}
		if before, some := last[f.Table]; some && before.Rows > 0 && f.Rows > 0 && slices.Compare(before.MaxKey, f.MinKey) >= 0 {
			v.found.add(Figures, f.Path, "%s has it begin with the key %q, which is not above the last one of %s", n.Path, f.MinKey, before.Path)
		}
		last[f.Table] = f
	}
	for _, table := range v.tables {
		if _, some := last[table]; !some {
			v.found.add(Figures, n.Path, "it names no file of the table %s", table)
		}
	}
	rows := rowsOf(n.Manifest)
	for _, of := range []struct {
		what   string
		rows   int64
		counts []map[string]int64
	}{
		{"groups", rows["groups"], []map[string]int64{n.Verdicts.Groups}},
		{"users", rows["users"], []map[string]int64{n.Verdicts.Users}},
		{"outcomes", rows["outcomes"], values(n.Outcomes)},
		{"discrepancies", rows["discrepancies"], []map[string]int64{{"": n.Discrepancies}}},
		{"changes", rows["changes"], since(n.Changes)},
		{"memberships", rows["memberships"], since(n.RoleCounts)},
	} {
		if of.counts == nil {
			continue
		}
		if sum := total(of.counts...); sum != of.rows {
			v.found.add(Figures, n.Path, "it counts %d %s, and its files have %d rows of them", sum, of.what, of.rows)
		}
	}
}

// since gives counts that manifests of older versions don't have: nil of such a one.
func since(counts map[string]int64) []map[string]int64 {
	if counts == nil {
		return nil
	}
	return []map[string]int64{counts}
}

func rowsOf(m manifest.Manifest) map[string]int64 {
	rows := map[string]int64{}
	for _, f := range m.Files {
		rows[f.Table] += f.Rows
	}
	return rows
}

func values(counts map[string]map[string]int64) []map[string]int64 {
	all := []map[string]int64{}
	for _, c := range counts {
		all = append(all, c)
	}
	return all
}

func total(counts ...map[string]int64) (sum int64) {
	for _, c := range counts {
		for _, n := range c {
			sum += n
		}
	}
	return sum
}

// partition is the folder of a table's files of one date.
func partition(table, date string) string { return table + "/snapshot_date=" + date + "/" }

func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.FormatInt(n, 10) + " " + noun + "s"
}

// note tells it once, however often it is noticed.
func (v *verifier) note(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(v.report.Notes, text) {
		v.report.Notes = append(v.report.Notes, text)
	}
}
