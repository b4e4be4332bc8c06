// Package signature says who stated something: Ed25519 keys, signatures, and the endorsements by
// which one key hands over to the next.
//
// Keys lie in PEM files as OpenSSL writes and reads them: a private one as PKCS#8, a public one as
// SubjectPublicKeyInfo. A key's ID is the SHA-256 of its public half in DER. Ed25519 needs no
// randomness to sign: the same words signed with the same key give the same bytes.
//
// An [Endorsement] is the old key's signature over both public keys. A [Chain] of them leads from one
// key to another. Nothing here decides whom to trust: that is for who holds a public key that came
// to him in another way.
//
// Faults are of kind Configuration and say what a key is and what is needed instead. Nothing of a
// private key is ever in them, and [PrivateKey] prints redacted.
package signature

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"

	"rollcall/schema/fault"
)

// Algorithm is the only one, as a [Signature] names it.
const Algorithm = "ed25519"

// Signature is who signed something, with what came of it. It is made to stand in JSON.
type Signature struct {
	Algorithm    string `json:"algorithm"`
	KeyID        string `json:"key_id"`       // of PublicKey, in hex
	PublicKey    []byte `json:"public_key"`   // 32 bytes
	Endorsements Chain  `json:"endorsements"` // from the first key to this one; empty where it is the first
	Value        []byte `json:"value"`        // 64 bytes
}

// Key is the key that s says it was made with. It is a fault where s contradicts itself.
func (s Signature) Key() (PublicKey, error) {
	if s.Algorithm != Algorithm {
		return PublicKey{}, fault.New(fault.Configuration, "its algorithm is %.40q, and Rollcall knows %s alone", s.Algorithm, Algorithm)
	}
	if len(s.PublicKey) != ed25519.PublicKeySize {
		return PublicKey{}, fault.New(fault.Configuration, "its public key has %d bytes, not %d", len(s.PublicKey), ed25519.PublicKeySize)
	}
	key := publicKey(s.PublicKey)
	if key.ID() != s.KeyID {
		return PublicKey{}, fault.New(fault.Configuration, "its key ID is %.80q, and that of its public key %s", s.KeyID, key.ID())
	}
	return key, nil
}

// Signer signs as one key, with what proves that earlier keys handed over to it. The zero Signer
// signs nothing.
type Signer struct {
	Key          PrivateKey
	Endorsements Chain // the oldest first; the last is that of Key
}

// Blank is the signature that signer is going to give, without its value.
func (s Signer) Blank() Signature {
	public := s.Key.Public()
	return Signature{Algorithm: Algorithm, KeyID: public.ID(), PublicKey: bytes.Clone(public.raw[:]), Endorsements: slices.Clone(s.Endorsements)}
}

// Check holds the endorsements against the key: an unbroken chain that ends in it.
func (s Signer) Check() error {
	if err := s.Endorsements.Check(); err != nil {
		return err
	}
	if n := len(s.Endorsements); n > 0 && !s.Endorsements.LeadsTo(s.Key.Public()) {
		return fault.New(fault.Configuration, "the last endorsement is of the key %s, and the key that signs is %s", s.Endorsements[n-1].Endorsed().ID(), s.Key.ID())
	}
	return nil
}

// Endorsement is the statement of one key's holder that another key takes its place.
type Endorsement struct {
	By    []byte `json:"by"`    // public key of who endorses, 32 bytes
	Key   []byte `json:"key"`   // public key that is endorsed, 32 bytes
	Value []byte `json:"value"` // signature by By, 64 bytes
}

// Endorse states that key takes the place of old.
func Endorse(old PrivateKey, key PublicKey) Endorsement {
	by := old.Public()
	e := Endorsement{By: bytes.Clone(by.raw[:]), Key: bytes.Clone(key.raw[:])}
	e.Value = old.Sign(e.words())
	return e
}

// words are what an endorsement signs. A manifest begins with a brace, so that neither signature can
// ever pass for the other.
func (e Endorsement) words() []byte {
	return fmt.Appendf(nil, "rollcall endorsement 1\n%s\n%s\n", hex.EncodeToString(e.By), hex.EncodeToString(e.Key))
}

// Endorser is the key that endorses.
func (e Endorsement) Endorser() PublicKey { return publicKey(e.By) }

// Endorsed is the key that takes its place.
func (e Endorsement) Endorsed() PublicKey { return publicKey(e.Key) }

// Check holds the endorsement against the key that it says it is by.
func (e Endorsement) Check() error {
	if len(e.By) != ed25519.PublicKeySize || len(e.Key) != ed25519.PublicKeySize {
		return fault.New(fault.Configuration, "an endorsement does not name two keys")
	}
	if !e.Endorser().Verify(e.words(), e.Value) {
		return fault.New(fault.Configuration, "the endorsement of %s was altered, or is not by %s as it says", e.Endorsed().ID(), e.Endorser().ID())
	}
	return nil
}

// Encode is the endorsement as a file: one line of JSON.
func (e Endorsement) Encode() ([]byte, error) {
	line, err := json.Marshal(e)
	return append(line, '\n'), err
}

// ParseEndorsement reads what Encode wrote, and checks it.
func ParseEndorsement(text []byte) (Endorsement, error) {
	var e Endorsement
	if err := json.Unmarshal(text, &e, json.RejectUnknownMembers(true)); err != nil {
		return e, &fault.Error{Kind: fault.Configuration, Message: "it is no endorsement", Hint: "give the .endorsement file that keygen --rotate wrote"}
	}
	return e, e.Check()
}

// Chain is a row of endorsements, each by the key that the one before it endorses.
type Chain []Endorsement

// Check holds every endorsement against its key, and against the one before it.
func (c Chain) Check() error {
	for i, e := range c {
		if err := e.Check(); err != nil {
			return err
		}
		if i > 0 && c[i-1].Endorsed() != e.Endorser() {
			return fault.New(fault.Configuration, "the endorsement by %s does not follow that of %s", e.Endorser().ID(), c[i-1].Endorsed().ID())
		}
	}
	return nil
}

// LeadsTo tells whether key is the last one that is endorsed.
func (c Chain) LeadsTo(key PublicKey) bool { return len(c) > 0 && c[len(c)-1].Endorsed() == key }

// Keys are the keys that handed over, the first one first.
func (c Chain) Keys() []PublicKey {
	var keys []PublicKey
	for _, e := range c {
		keys = append(keys, e.Endorser())
	}
	return keys
}
