package verify_test

import (
	"bytes"
	"slices"
	"testing"

	"rollcall/pipeline/job"
	"rollcall/pipeline/verify"
	"rollcall/schema"
	"rollcall/sinks/manifest"
	"rollcall/sinks/signature"
)

// keyNumber makes one of several keys, always the same.
func keyNumber(t testing.TB, n byte) signature.PrivateKey {
	t.Helper()
	key, err := signature.Generate(bytes.NewReader(bytes.Repeat([]byte{n}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// keys are those of the signed history, and those of people who have no business there.
type keys struct {
	first, second, third signature.PrivateKey
	stranger, other      signature.PrivateKey
}

func keyring(t testing.TB) keys {
	t.Helper()
	return keys{keyNumber(t, 1), keyNumber(t, 2), keyNumber(t, 3), keyNumber(t, 8), keyNumber(t, 9)}
}

// by is who signs with the last of several keys, each of which endorsed the next.
func by(list ...signature.PrivateKey) *signature.Signer {
	s := &signature.Signer{Key: list[len(list)-1]}
	for i, key := range list[1:] {
		s.Endorsements = append(s.Endorsements, signature.Endorse(list[i], key.Public()))
	}
	return s
}

// given are options with public keys.
func given(list ...signature.PrivateKey) func(*verify.Options) {
	return func(o *verify.Options) {
		for _, key := range list {
			o.PublicKeys = append(o.PublicKeys, key.Public())
		}
	}
}

// signedNights are those of the history that are signed: two with the first key, two with the second.
func signedNights() []string { return nights()[2:] }

// signed makes a history in which signing begins on the third night and the key is rotated on the fifth.
func signed(t testing.TB, k keys) *history {
	t.Helper()
	signers := map[string]*signature.Signer{}
	for i, date := range signedNights() {
		signers[date] = []*signature.Signer{by(k.first), by(k.first), by(k.first, k.second), by(k.first, k.second)}[i]
	}
	return simulateWith(t, false, func(date string, j *job.Job) { j.Sign = signers[date] }, nights()...)
}

// reseal changes what a manifest claims and signs it; a nil signer leaves the signature as it is.
func (h *history) reseal(t testing.TB, date string, signer *signature.Signer, change func(*manifest.Manifest)) {
	t.Helper()
	m := h.manifest(t, date)
	change(&m)
	if signer != nil {
		var err error
		if m, err = manifest.Sign(m, *signer); err != nil {
			t.Fatal(err)
		}
	}
	line, err := manifest.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	h.write(t, manifest.Path(date), line)
}

// rewritten changes one night and seals all that follow anew, so that the chain is whole.
func (h *history) rewritten(t testing.TB, date string, signer *signature.Signer, change func(*manifest.Manifest)) {
	t.Helper()
	h.reseal(t, date, signer, change)
	before := date
	for _, next := range nights()[slices.Index(nights(), date)+1:] {
		sum := manifest.Sum(h.read(t, manifest.Path(before)))
		h.reseal(t, next, signer, func(m *manifest.Manifest) {
			change(m)
			m.Previous.SHA256 = sum
			if m.ChangesBaseSum != nil {
				base := manifest.Sum(h.read(t, manifest.Path(*m.ChangesBase)))
				m.ChangesBaseSum = &base
			}
		})
		before = next
	}
}

func nothing(*manifest.Manifest)     {}
func unsign(m *manifest.Manifest)    { m.Signature = nil }
func flip(b []byte)                  { b[7] ^= 1 }
func otherTool(m *manifest.Manifest) { m.Tool = "forged" }
func cloned(s signature.Signature) *signature.Signature {
	s.Value, s.PublicKey, s.Endorsements = bytes.Clone(s.Value), bytes.Clone(s.PublicKey), slices.Clone(s.Endorsements)
	for i, e := range s.Endorsements {
		s.Endorsements[i].Value = bytes.Clone(e.Value)
	}
	return &s
}

// everywhere wants one finding of each of several nights.
func everywhere(kind verify.Kind, message string, dates ...string) (all []want) {
	for _, date := range dates {
		all = append(all, want{kind, manifest.Path(date), message})
	}
	return all
}

func TestASignedHistoryIsProvedByItsFirstKey(t *testing.T) {
	t.Parallel()
	k := keyring(t)
	h := signed(t, k)
	report := h.verified(t, given(k.first))
	check(t, report)
	s := report.Signed
	if s.Manifests != 4 || s.Proved != 4 || s.Linked != 2 || s.Since != "2026-11-22" || s.First != 3 || !slices.Equal(s.Given, []string{k.first.ID()}) {
		t.Errorf("%+v", s)
	}
	if want := []verify.KeyUsed{
		{ID: k.first.ID(), Manifests: 2, First: 3, Last: 4, Trusted: true},
		{ID: k.second.ID(), Manifests: 2, First: 5, Last: 6, After: k.first.ID(), Trusted: true},
	}; !slices.Equal(s.Keys, want) {
		t.Errorf("keys: %+v", s.Keys)
	}
	check(t, h.verified(t, given(k.first, k.second)))
	check(t, h.verified(t, given(k.stranger, k.first))) // a key more does no harm

	report = h.verified(t, nil)
	check(t, report)
	if s := report.Signed; s.Manifests != 4 || s.Proved != 0 || len(s.Given) != 0 || len(s.Keys) != 2 || s.Keys[0].Trusted {
		t.Errorf("without a key: %+v", s)
	}

	// The second key does not vouch for the one before it.
	report = h.verified(t, given(k.second))
	check(t, report, everywhere(verify.Stranger, "none of the public keys given", "2026-11-22", "2026-11-19")...)
	if report.Signed.Proved != 2 {
		t.Errorf("the second key proves %d", report.Signed.Proved)
	}
}

// TestEveryWayOfTamperingWithASignedHistoryIsCaught does one thing after the other to copies of one
// history. Whoever does it can write the whole sink and lacks the key, unless it says otherwise.
func TestEveryWayOfTamperingWithASignedHistoryIsCaught(t *testing.T) {
	t.Parallel()
	k := keyring(t)
	h := signed(t, k)
	const newest, rotated = "2026-11-24", "2026-11-23"
	newestIs := func(kind verify.Kind, message string) []want { return everywhere(kind, message, newest) }
	for name, c := range map[string]struct {
		tamper func(*testing.T, *history)
		keys   []signature.PrivateKey // nil: the first
		want   []want
	}{
		"another's public key": {
			tamper: func(*testing.T, *history) {}, keys: []signature.PrivateKey{k.stranger},
			want: everywhere(verify.Stranger, "none of the public keys given, and none of them endorsed it", signedNights()...),
		},
		"a signed night and all since written anew": {
			tamper: func(t *testing.T, h *history) { h.rewritten(t, "2026-11-22", nil, otherTool) },
			want:   everywhere(verify.BadSignature, "it is not the signature of these words", signedNights()...),
		},
		"rows, file, manifest and chain": {
			tamper: func(t *testing.T, h *history) {
				forge(t, h, "2026-11-19", first(func(g *schema.Group) { g.Name = new(string) }))
			},
			want: everywhere(verify.BadSignature, "it is not the signature of these words", "2026-11-19", rotated, newest),
		},
		"a night from before signing began": {
			tamper: func(t *testing.T, h *history) { h.rewritten(t, "2026-11-20", nil, otherTool) },
			want:   everywhere(verify.BadSignature, "it is not the signature", signedNights()...),
		},
		"all signatures taken away": {
			tamper: func(t *testing.T, h *history) {
				h.rewritten(t, "2026-11-22", nil, func(m *manifest.Manifest) { otherTool(m); unsign(m) })
			},
			want: []want{{verify.Unsigned, "_snapshots/", "no manifest is signed, and a public key was given"}},
		},
		"the newest signature taken away": {
			tamper: func(t *testing.T, h *history) { h.reseal(t, newest, nil, unsign) },
			want:   newestIs(verify.Unsigned, "it has no signature, and _snapshots/2026-11-22.json, sealed before it, has one"),
		},
		"signatures taken away from some night on": {
			tamper: func(t *testing.T, h *history) { h.rewritten(t, "2026-11-19", nil, unsign) },
			want:   everywhere(verify.Unsigned, "it has no signature", "2026-11-19", rotated, newest),
		},
		"all signed with a key of one's own": {
			tamper: func(t *testing.T, h *history) { h.rewritten(t, "2026-11-20", by(k.stranger), otherTool) },
			want:   everywhere(verify.Stranger, k.stranger.ID(), nights()...),
		},
		"all signed with a key that a stranger endorsed": {
			tamper: func(t *testing.T, h *history) { h.rewritten(t, "2026-11-22", by(k.stranger, k.other), otherTool) },
			want:   everywhere(verify.Stranger, k.other.ID(), signedNights()...),
		},
		"an endorsement in the first key's name": {
			tamper: func(t *testing.T, h *history) {
				forged := signature.Endorse(k.stranger, k.other.Public())
				forged.By = by(k.first).Blank().PublicKey
				h.reseal(t, newest, &signature.Signer{Key: k.other, Endorsements: signature.Chain{forged}}, otherTool)
			},
			want: newestIs(verify.BadEndorsement, "was altered, or is not by "+k.first.ID()),
		},
		"a signature altered": {
			tamper: func(t *testing.T, h *history) {
				h.reseal(t, newest, nil, func(m *manifest.Manifest) { m.Signature = cloned(*m.Signature); flip(m.Signature.Value) })
			},
			want: newestIs(verify.BadSignature, "it is not the signature of these words with the key "+k.second.ID()),
		},
		"a signature cut": {
			tamper: func(t *testing.T, h *history) {
				h.reseal(t, newest, nil, func(m *manifest.Manifest) { m.Signature.Value = m.Signature.Value[:63] })
			},
			want: newestIs(verify.BadSignature, "it is not the signature of these words"),
		},
		"another night's signature": {
			tamper: func(t *testing.T, h *history) {
				other := h.manifest(t, rotated).Signature
				h.reseal(t, newest, nil, func(m *manifest.Manifest) { m.Signature = other })
			},
			want: newestIs(verify.BadSignature, "it is not the signature of these words"),
		},
		"an endorsement altered": {
			tamper: func(t *testing.T, h *history) {
				h.reseal(t, newest, nil, func(m *manifest.Manifest) {
					m.Signature = cloned(*m.Signature)
					flip(m.Signature.Endorsements[0].Value)
				})
			},
			want: newestIs(verify.BadSignature, "it is not the signature of these words"),
		},
		"an endorsement altered, and signed so": {
			tamper: func(t *testing.T, h *history) {
				signer := by(k.first, k.second)
				flip(signer.Endorsements[0].Value)
				h.reseal(t, newest, signer, nothing)
			},
			want: newestIs(verify.BadEndorsement, "the endorsement of "+k.second.ID()+" was altered"),
		},
		"endorsements of another key": {
			tamper: func(t *testing.T, h *history) {
				h.reseal(t, newest, &signature.Signer{Key: k.stranger, Endorsements: by(k.first, k.second).Endorsements}, nothing)
			},
			want: newestIs(verify.BadEndorsement, "do not lead to the key "+k.stranger.ID()),
		},
		"endorsements that do not follow each other": {
			tamper: func(t *testing.T, h *history) {
				chain := append(by(k.first, k.second).Endorsements, by(k.stranger, k.other).Endorsements...)
				h.reseal(t, newest, &signature.Signer{Key: k.other, Endorsements: chain}, nothing)
			},
			want: newestIs(verify.BadEndorsement, "does not follow that of "+k.second.ID()),
		},
		"signed with the old key, after it was rotated": {
			tamper: func(t *testing.T, h *history) { h.reseal(t, newest, by(k.first), otherTool) },
			want:   newestIs(verify.Retired, "whose place "+k.second.ID()+" had taken when _snapshots/2026-11-23.json was sealed"),
		},
		"a key endorsed by the old one, after it was rotated": {
			tamper: func(t *testing.T, h *history) { h.reseal(t, newest, by(k.first, k.stranger), otherTool) },
			want:   newestIs(verify.Retired, "which "+k.first.ID()+" endorsed after its place had been taken"),
		},
		"the old key as its own successor": {
			tamper: func(t *testing.T, h *history) { h.reseal(t, newest, by(k.first, k.first), otherTool) },
			want:   newestIs(verify.Retired, "it is signed with the key "+k.first.ID()),
		},
		"another algorithm": {
			tamper: func(t *testing.T, h *history) {
				h.reseal(t, newest, nil, func(m *manifest.Manifest) { m.Signature.Algorithm = "none" })
			},
			want: newestIs(verify.BadSignature, `its algorithm is "none", and Rollcall knows ed25519 alone`),
		},
		"another key ID": {
			tamper: func(t *testing.T, h *history) {
				h.reseal(t, newest, nil, func(m *manifest.Manifest) { m.Signature.KeyID = k.first.ID() })
			},
			want: newestIs(verify.BadSignature, "and that of its public key "+k.second.ID()),
		},
		"half a public key": {
			tamper: func(t *testing.T, h *history) {
				h.reseal(t, newest, nil, func(m *manifest.Manifest) { m.Signature.PublicKey = m.Signature.PublicKey[:16] })
			},
			want: newestIs(verify.BadSignature, "its public key has 16 bytes, not 32"),
		},
		"an empty signature": {
			tamper: func(t *testing.T, h *history) {
				h.reseal(t, newest, nil, func(m *manifest.Manifest) { m.Signature = &signature.Signature{} })
			},
			want: newestIs(verify.BadSignature, `its algorithm is ""`),
		},
		"a replaced manifest": {
			tamper: func(t *testing.T, h *history) {
				path := h.replace(t, newest, by(k.first, k.second))
				h.write(t, path, bytes.Replace(h.read(t, path), []byte(`"tool":"test"`), []byte(`"tool":"tost"`), 1))
			},
			want: []want{
				{verify.BadSignature, manifest.ReplacedPath(newest, 6), "it is not the signature of these words"},
				{verify.Resealed, manifest.ReplacedPath(newest, 6), "was altered"},
				{verify.Removed, manifest.ReplacedPath(newest, 6), "none replaces it"},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := h.copied(t)
			c.tamper(t, h)
			if c.keys == nil {
				c.keys = []signature.PrivateKey{k.first}
			}
			report := h.verified(t, given(c.keys...))
			check(t, report, c.want...)
			if report.Signed.Proved > 4 || report.Whole() {
				t.Errorf("%+v", report.Signed)
			}
		})
	}
}

// replace seals a night anew as `rollcall run --replace` does, and gives the path of the old manifest.
func (h *history) replace(t testing.TB, date string, signer *signature.Signer) string {
	t.Helper()
	old, line := h.manifest(t, date), h.read(t, manifest.Path(date))
	path := manifest.ReplacedPath(date, old.Sequence)
	h.write(t, path, line)
	h.reseal(t, date, signer, func(m *manifest.Manifest) {
		m.Sequence++
		m.Previous = &manifest.Link{Path: manifest.Path(date), SHA256: manifest.Sum(line)}
		m.Replaces = &manifest.Link{Path: path, SHA256: manifest.Sum(line)}
	})
	return path
}

func TestWhatIsNoTamperingWithSignatures(t *testing.T) {
	t.Parallel()
	k := keyring(t)
	h := signed(t, k)
	const newest = "2026-11-24"
	for name, c := range map[string]struct {
		change func(*testing.T, *history)
		keys   []signature.PrivateKey
		proved int
	}{
		"rotated again":              {func(t *testing.T, h *history) { h.reseal(t, newest, by(k.first, k.second, k.third), nothing) }, []signature.PrivateKey{k.first}, 4},
		"handed back":                {func(t *testing.T, h *history) { h.reseal(t, newest, by(k.first, k.second, k.first), nothing) }, []signature.PrivateKey{k.first}, 4},
		"endorsements cut short":     {func(t *testing.T, h *history) { h.reseal(t, newest, by(k.second, k.third), nothing) }, []signature.PrivateKey{k.first}, 4},
		"a new key, given too":       {func(t *testing.T, h *history) { h.reseal(t, newest, by(k.third), nothing) }, []signature.PrivateKey{k.third, k.first}, 4},
		"replaced":                   {func(t *testing.T, h *history) { h.replace(t, newest, by(k.first, k.second)) }, []signature.PrivateKey{k.first}, 5},
		"signed from the very start": {func(t *testing.T, h *history) { h.rewritten(t, nights()[0], by(k.first), nothing) }, []signature.PrivateKey{k.first}, 6},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := h.copied(t)
			c.change(t, h)
			report := h.verified(t, given(c.keys...))
			check(t, report)
			if report.Signed.Proved != c.proved {
				t.Errorf("%+v", report.Signed)
			}
		})
	}
}

// TestWithoutAKeySignaturesProveNothing holds that verify says less where it knows less: what only a
// key can show is not found, and is not claimed.
func TestWithoutAKeySignaturesProveNothing(t *testing.T) {
	t.Parallel()
	k := keyring(t)
	h := signed(t, k)
	own := h.copied(t)
	own.rewritten(t, "2026-11-20", by(k.stranger), otherTool)
	report := own.verified(t, nil)
	check(t, report)
	if s := report.Signed; s.Proved != 0 || s.Manifests != 6 || len(s.Keys) != 1 || s.Keys[0].Trusted {
		t.Errorf("%+v", s)
	}
	careless := h.copied(t)
	careless.rewritten(t, "2026-11-22", nil, otherTool)
	check(t, careless.verified(t, nil), everywhere(verify.BadSignature, "it is not the signature", signedNights()...)...)
	ended := h.copied(t)
	ended.reseal(t, "2026-11-24", nil, unsign)
	report = ended.verified(t, nil)
	check(t, report)
	if len(report.Notes) != 2 || report.Notes[0] != "without a signature, although sealed after the first signed one: 1 manifest" {
		t.Errorf("notes: %q", report.Notes)
	}
}
