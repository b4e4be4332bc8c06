package verify

import (
	"slices"

	"rollcall/sinks/manifest"
	"rollcall/sinks/signature"
)

// signed holds one manifest against its own signature, whoever it is by.
func (v *verifier) signed(n *node, encoded []byte) {
	if n.Signature == nil {
		return
	}
	key, err := manifest.CheckSignature(*n.Signature, encoded)
	if err != nil {
		v.found.add(BadSignature, n.Path, "its signature does not hold: %v", err)
		return
	}
	n.key = key
	chain := n.Signature.Endorsements
	if err := chain.Check(); err != nil {
		v.found.add(BadEndorsement, n.Path, "its signature holds, and what leads to its key does not: %v", err)
		return
	}
	if len(chain) > 0 && !chain.LeadsTo(key) {
		v.found.add(BadEndorsement, n.Path, "its endorsements do not lead to the key %s, which signed it", key.ID())
		return
	}
	n.valid = true
}

// trust is which keys may sign at a point of the chain.
type trust struct {
	keys    map[signature.PublicKey]bool
	retired map[signature.PublicKey]*node // by the first manifest of the key that took its place
}

// signatures goes through the chain in the order of sealing, and follows the keys as each hands over
// to the next.
func (v *verifier) signatures(byHash map[string]*node) {
	t := trust{keys: map[signature.PublicKey]bool{}, retired: map[signature.PublicKey]*node{}}
	v.report.Signed.Keys, v.report.Signed.Given = []KeyUsed{}, []string{}
	for _, key := range v.PublicKeys {
		t.keys[key] = true
		v.report.Signed.Given = append(v.report.Signed.Given, key.ID())
	}
	asked := len(v.PublicKeys) > 0
	var first *node // that has a signature
	var unsigned int64
	for _, n := range v.nodes {
		switch {
		case n.Signature == nil && first == nil:
		case n.Signature == nil && asked:
			v.found.add(Unsigned, n.Path, "it has no signature, and %s, sealed before it, has one", first.Path)
		case n.Signature == nil:
			unsigned++
		default:
			if first == nil {
				first = n
			}
			v.report.Signed.Manifests++
			trusted := n.valid && asked && v.trusted(&t, n)
			if trusted {
				v.report.Signed.Proved++
			}
			v.used(n, trusted)
		}
	}
	if unsigned > 0 {
		v.note("without a signature, although sealed after the first signed one: %s", plural(unsigned, "manifest"))
	}
	if first == nil {
		if asked && len(v.nodes) > 0 {
			v.found.add(Unsigned, manifests, "no manifest is signed, and a public key was given: signing has never begun here, or the signatures were taken away")
		}
		return
	}
	v.report.Signed.Since, v.report.Signed.First = first.Date, first.Sequence
	v.before(first, byHash)
}

// trusted tells whether a key that is trusted signed n, and finds what is wrong where it did not.
func (v *verifier) trusted(t *trust, n *node) bool {
	chain := n.Signature.Endorsements
	if !t.keys[n.key] || t.retired[n.key] != nil {
		root := t.root(chain)
		if root < 0 {
			v.untrusted(t, n)
			return false
		}
		for _, e := range chain[root:] {
			t.keys[e.Endorsed()] = true
		}
		delete(t.retired, n.key)
	}
	for _, old := range chain.Keys() {
		if old != n.key && t.keys[old] && t.retired[old] == nil {
			t.retired[old] = n
		}
	}
	return true
}

// root is the last endorsement in chain by a key that may sign; -1 where there is none.
func (t *trust) root(chain signature.Chain) int {
	for i, key := range slices.Backward(chain.Keys()) {
		if t.keys[key] && t.retired[key] == nil {
			return i
		}
	}
	return -1
}

// untrusted says why a signature that holds proves nothing.
func (v *verifier) untrusted(t *trust, n *node) {
	keys := append(n.Signature.Endorsements.Keys(), n.key)
	for _, key := range slices.Backward(keys) {
		since := t.retired[key]
		switch {
		case since == nil:
		case key == n.key:
			v.found.add(Retired, n.Path, "it is signed with the key %s, whose place %s had taken when %s was sealed", key.ID(), since.key.ID(), since.Path)
			return
		default:
			v.found.add(Retired, n.Path, "it is signed with the key %s, which %s endorsed after its place had been taken when %s was sealed", n.key.ID(), key.ID(), since.Path)
			return
		}
	}
	v.found.add(Stranger, n.Path, "it is signed with the key %s, which is none of the public keys given, and none of them endorsed it", n.key.ID())
}

// used counts a manifest for its key.
func (v *verifier) used(n *node, trusted bool) {
	if !n.valid {
		return
	}
	id, s := n.key.ID(), &v.report.Signed
	i := slices.IndexFunc(s.Keys, func(k KeyUsed) bool { return k.ID == id })
	if i < 0 {
		i = len(s.Keys)
		s.Keys = append(s.Keys, KeyUsed{ID: id, First: n.Sequence, Trusted: trusted})
		if keys := n.Signature.Endorsements.Keys(); len(keys) > 0 {
			s.Keys[i].After = keys[len(keys)-1].ID()
		}
	}
	s.Keys[i].Manifests++
	s.Keys[i].Last = n.Sequence
	s.Keys[i].Trusted = s.Keys[i].Trusted && trusted
}

// before tells what becomes of manifests that were sealed before signing began: the first signed one
// carries the sum of the one before it.
func (v *verifier) before(first *node, byHash map[string]*node) {
	earlier := slices.IndexFunc(v.nodes, func(n *node) bool { return n == first })
	if earlier == 0 {
		return
	}
	n := first
	for n.linked && n.Previous != nil {
		n = byHash[n.Previous.SHA256]
		v.report.Signed.Linked++
	}
	v.note("signed since %s, sequence %d; without a signature before that: %s, held by the sums that lead to them from the first signed one", first.Date, first.Sequence, plural(int64(earlier), "manifest"))
}
