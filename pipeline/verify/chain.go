package verify

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"

	"rollcall/schema/fault"
	"rollcall/sinks"
	"rollcall/sinks/manifest"
	"rollcall/sinks/signature"
)

const manifests = "_snapshots/"

// node is one manifest as it lies in the sink.
type node struct {
	manifest.Sealed
	linked bool // its link to the one before it holds, or it is the first

	key   signature.PublicKey // that signed it, as its signature proves
	valid bool                // it has a signature, and that and its endorsements are in order
}

// chain reads all manifests and holds them against each other.
func (v *verifier) chain(ctx context.Context) error {
	if err := v.readManifests(ctx); err != nil {
		return err
	}
	byHash := map[string]*node{}
	for _, n := range v.nodes {
		byHash[n.Sum] = n
		v.place(n)
	}
	v.beginning()
	for i, n := range v.nodes {
		if i > 0 && v.nodes[i-1].Sequence == n.Sequence {
			v.found.add(Forked, n.Path, "it claims sequence %d, and so does %s", n.Sequence, v.nodes[i-1].Path)
		}
		v.link(n, byHash)
	}
	v.replacements(byHash)
	v.bases(byHash)
	v.signatures(byHash)
	if last := len(v.nodes) - 1; last >= 0 {
		newest := v.nodes[last]
		v.report.Chain.Manifests = len(v.nodes)
		v.report.Chain.First, v.report.Chain.Last = v.nodes[0].Sequence, newest.Sequence
		v.report.Chain.Newest, v.report.Chain.Hash = newest.Path, newest.Sum
	}
	v.head(byHash)
	return nil
}

// readManifests reads every manifest; one that can't be read as one is found as altered.
func (v *verifier) readManifests(ctx context.Context) error {
	var paths []string
	for object, err := range v.sink.List(ctx, manifests) {
		if err != nil {
			return err
		}
		if sinks.IsManifest(object.Path) {
			v.dates = append(v.dates, sinks.ManifestDate(object.Path))
		}
		switch date := strings.TrimSuffix(path.Base(object.Path), ".json"); {
		case object.NotPlain != "":
			v.planted(object)
			v.unreadable[dateIn(object.Path)] = true
		case !strings.HasSuffix(object.Path, ".json"):
			v.note("%s is no manifest and was not looked at", object.Path)
		case object.Size > manifest.MaxSize:
			v.unreadable[dateIn(object.Path)] = true
			v.found.add(Altered, object.Path, "it has %s, and no manifest has more than %s: it was not read", humanize.IBytes(uint64(object.Size)), humanize.IBytes(manifest.MaxSize))
		case sinks.IsManifest(object.Path), path.Dir(object.Path)+"/" == sinks.ReplacedFolder:
			paths = append(paths, object.Path)
		default:
			v.found.add(Extra, object.Path, "it lies among the manifests, and %q is no date", date)
		}
	}
	all, err := manifest.Each(ctx, paths, v.encoded)
	if err != nil {
		return err
	}
	for i, read := range all {
		switch {
		case read.none != nil:
			v.unreadable[dateIn(paths[i])] = true
			v.found.add(Altered, paths[i], "it can't be read as a manifest: %v", read.none)
		case read.archived:
			v.archive(paths[i])
		default:
			v.statement(paths[i], read.encoded)
		}
	}
	v.onTheirWay()
	slices.SortStableFunc(v.nodes, func(a, b *node) int { return cmp.Compare(a.Sequence, b.Sequence) })
	return nil
}

// planted finds what lies in a file's or a folder's place and is neither.
func (v *verifier) planted(object sinks.Object) {
	v.found.add(NotAFile, object.Path, "it is %s, and was not opened", object.NotPlain)
}

// onTheirWay leaves out the second copies of manifests that lie at their own place, too: a
// `rollcall run --replace` is at work or was stopped just before it took the date, which is as sealed
// as it was.
func (v *verifier) onTheirWay() {
	live := map[string]bool{}
	for _, n := range v.nodes {
		live[n.Sum] = live[n.Sum] || !n.Replaced && n.Path == manifest.Path(n.Date)
	}
	v.nodes = slices.DeleteFunc(v.nodes, func(n *node) bool {
		copied := n.Replaced && live[n.Sum] && n.Path == manifest.ReplacedPath(n.Date, n.Sequence)
		if copied {
			v.report.Chain.Replaced--
			v.note("%s is a copy of the manifest that still seals %s: a run with --replace is at work or was stopped", n.Path, n.Date)
		}
		return copied
	})
}

// reply is what lies under a manifest's name.
type reply struct {
	encoded  []byte
	archived bool
	none     error // why it is no manifest, whatever it says
}

func (v *verifier) encoded(ctx context.Context, path string) (reply, error) {
	encoded, err := manifest.Bytes(ctx, v.sink, path)
	none, unreadable := errors.AsType[*manifest.UnreadableError](err)
	switch {
	case unreadable:
		return reply{none: none}, nil
	case errors.Is(err, fs.ErrNotExist):
		return reply{}, fault.New(fault.Transient, "%s went away while it was being verified", v.sink.URL(path))
	case errors.Is(err, sinks.ErrArchived):
		return reply{archived: true}, nil
	}
	return reply{encoded: encoded}, err
}

// statement takes one manifest: is it one, is it written as Rollcall writes it, and does it
// contradict itself?
func (v *verifier) statement(path string, encoded []byte) {
	m, err := manifest.Decode(encoded)
	if err != nil {
		v.unreadable[dateIn(path)] = true
		v.found.add(Altered, path, "it can't be read as a manifest: %v", err)
		return
	}
	n := &node{Sealed: manifest.Sealed{Manifest: m, Path: path, Sum: manifest.Sum(encoded), Replaced: strings.HasPrefix(path, sinks.ReplacedFolder)}}
	v.nodes = append(v.nodes, n)
	if n.Replaced {
		v.report.Chain.Replaced++
	}
	if err := canonical(m, encoded); err != nil {
		v.found.add(Altered, path, "it is not written as Rollcall writes a manifest: %v", err)
	}
	v.claims(n)
	v.signed(n, encoded)
}

// dateIn is the date in the name of a manifest, be it replaced or not.
func dateIn(manifestPath string) string {
	name := path.Base(manifestPath)
	return name[:min(len(name), len("2026-11-21"))]
}

// place holds where a manifest lies against what it says of itself.
func (v *verifier) place(n *node) {
	switch {
	case n.Replaced && n.Path != manifest.ReplacedPath(n.Date, n.Sequence):
		v.found.add(Misplaced, n.Path, "it is the manifest of %s with sequence %d, and lies under another's name", n.Date, n.Sequence)
	case !n.Replaced && n.Path != manifest.Path(n.Date):
		v.found.add(Misplaced, n.Path, "it is the manifest of %s, and lies under the name of %s", n.Date, sinks.ManifestDate(n.Path))
	}
}

// beginning looks at what comes before the first manifest that is there.
func (v *verifier) beginning() {
	if len(v.nodes) == 0 {
		return
	}
	first := v.nodes[0]
	before := first.Previous
	if before == nil || v.unreadable[dateIn(before.Path)] {
		return
	}
	lacking := first.Sequence - 1
	switch {
	case v.From == "":
		v.found.add(Removed, before.Path, "the chain begins with sequence %d: %s before it, the last of them %s, are not there; if history was pruned on purpose, --from DATE tells from which date on it must be whole", first.Sequence, plural(lacking, "manifest"), before.Path)
	case v.pruned(before.Path):
		v.report.Chain.Pruned = lacking
		v.note("history before %s was pruned: %s, up to sequence %d, are not there, and nothing is known about them", v.From, plural(lacking, "manifest"), lacking)
	default:
		v.found.add(Removed, before.Path, "the chain begins with sequence %d: %s, sealed before it, is not there and is not older than --from %s", first.Sequence, before.Path, v.From)
	}
}

// pruned tells whether a manifest of that path may have been pruned.
func (v *verifier) pruned(manifestPath string) bool {
	date := dateIn(manifestPath)
	return v.From != "" && sinks.IsDate(date) && date < v.From
}

// link holds n's link to the manifest before it against what is there.
func (v *verifier) link(n *node, byHash map[string]*node) {
	if n.Previous == nil {
		n.linked = true
		return
	}
	if before := byHash[n.Previous.SHA256]; before != nil {
		switch {
		case before.Sequence != n.Sequence-1:
			v.found.add(Forked, n.Path, "it has sequence %d and follows %s, which has %d", n.Sequence, before.Path, before.Sequence)
		case n.Previous.Path != manifest.Path(before.Date) && n.Previous.Path != before.Path:
			v.found.add(Misplaced, n.Path, "it names the manifest of %s as %s", before.Date, n.Previous.Path)
		default:
			n.linked = true
		}
		return
	}
	if v.unreadable[dateIn(n.Previous.Path)] || n == v.nodes[0] {
		return // found already
	}
	nearest := v.nodes[0] // the last one before n's sequence
	for _, other := range v.nodes {
		if other.Sequence < n.Sequence {
			nearest = other
		}
	}
	if nearest.Sequence == n.Sequence-1 {
		v.found.add(Resealed, nearest.Path, "its SHA-256 is %s, and %s, sealed after it, names %s: it was altered, or sealed again since", nearest.Sum, n.Path, n.Previous.SHA256)
		return
	}
	if nearest.Sequence == n.Sequence-2 && v.pruned(n.Previous.Path) {
		v.report.Chain.Pruned++
		v.note("%s, sequence %d, is not there: it is older than %s", n.Previous.Path, n.Sequence-1, v.From)
		return
	}
	v.gap(n, nearest)
}

// gap finds manifests that are gone between two that are there.
func (v *verifier) gap(n, nearest *node) {
	if nearest.Sequence == n.Sequence-2 {
		v.found.add(Removed, n.Previous.Path, "sequence %d is not there: the night between %s and %s was removed from the chain", n.Sequence-1, nearest.Path, n.Path)
		return
	}
	v.found.add(Removed, n.Previous.Path, "sequences %d to %d, of which this is the last, are not there: the nights between %s and %s were removed from the chain", nearest.Sequence+1, n.Sequence-1, nearest.Path, n.Path)
}

// replacements holds manifests that were replaced against those that replace them.
func (v *verifier) replacements(byHash map[string]*node) {
	replacing := map[string]bool{}
	for _, n := range v.nodes {
		if n.Replaces == nil {
			continue
		}
		replacing[n.Replaces.SHA256] = true
		switch old := byHash[n.Replaces.SHA256]; {
		case old == nil && !v.pruned(n.Path) && !v.archived[n.Replaces.Path]:
			v.found.add(Removed, n.Replaces.Path, "%s replaces it, and it is not there with SHA-256 %s", n.Path, n.Replaces.SHA256)
		case old != nil && (old.Date != n.Date || old.Sequence >= n.Sequence):
			v.found.add(Forked, n.Path, "it claims to replace %s, the manifest of %s with sequence %d", old.Path, old.Date, old.Sequence)
		}
	}
	for _, n := range v.nodes {
		if n.Replaced && !replacing[n.Sum] && !v.archived[manifest.Path(n.Date)] {
			v.found.add(Removed, n.Path, "the manifest of %s was taken off and none replaces it: a run with --replace has not ended, or the night was hidden", n.Date)
		}
	}
}

// bases holds what each night's changes compared with against the manifests that are there, replaced
// ones included. Manifests of older versions don't have the sum.
func (v *verifier) bases(byHash map[string]*node) {
	for _, n := range v.nodes {
		if n.ChangesBase == nil || n.ChangesBaseSum == nil {
			continue
		}
		base := byHash[*n.ChangesBaseSum]
		switch path := manifest.Path(*n.ChangesBase); {
		case base != nil && base.Date != *n.ChangesBase:
			v.found.add(Figures, n.Path, "its changes are against %s, and the sum it gives is that of %s", *n.ChangesBase, base.Path)
		case base != nil:
			v.listsBefore(n, base)
		case base == nil && !v.pruned(path) && !v.unreadable[*n.ChangesBase] && v.claimed(path, *n.ChangesBaseSum):
			v.found.add(Resealed, path, "%s compared with it when its SHA-256 was %s: it was altered, or sealed again since", n.Path, *n.ChangesBaseSum)
		}
	}
}

// listsBefore holds what a manifest says of the lists before it against its base.
func (v *verifier) listsBefore(n, base *node) {
	for _, list := range n.Lists {
		before, some := base.Lists.Find(list.Name)
		if list.Before != nil && (!some || before.IDs != *list.Before) {
			v.found.add(Figures, n.Path, "it says that ids.%.40q had %s on %s, and %s says %d", list.Name, plural(*list.Before, "ID"), base.Date, base.Path, before.IDs)
		}
	}
}

// claimed tells whether the manifest that lies at path ought to have had this sum. One that is not
// there, or has replaced the one with the sum, has been found by the chain.
func (v *verifier) claimed(path, sum string) bool {
	return slices.ContainsFunc(v.nodes, func(n *node) bool {
		return n.Path == path && (n.Replaces == nil || n.Replaces.SHA256 != sum)
	})
}

// head looks for the manifest whose hash was kept elsewhere, and how far back it proves the chain.
func (v *verifier) head(byHash map[string]*node) {
	if v.Head == "" {
		return
	}
	if len(v.archived) > 0 && byHash[v.Head] == nil {
		v.note("the manifest with the SHA-256 %s may be one of those that are archived", v.Head)
	}
	v.report.Chain.Kept = v.Head
	n := byHash[v.Head]
	if n == nil {
		v.found.add(Unproved, manifests, "no manifest has the SHA-256 %s: the newest nights were taken away, or the chain was written anew", v.Head)
		return
	}
	v.report.Chain.Proved, v.report.Chain.From = n.Sequence, n.Sequence
	for n.linked && n.Previous != nil {
		n = byHash[n.Previous.SHA256]
		v.report.Chain.From = n.Sequence
	}
}
