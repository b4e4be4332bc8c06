package manifest

import (
	"bytes"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"rollcall/schema/fault"
	"rollcall/sinks/signature"
)

// Sign gives m signed. What it signs are the words that Encode writes of it, with the value of the
// signature left empty: key and endorsements are signed too, and the sum that the next manifest
// carries covers the signature.
func Sign(m Manifest, signer signature.Signer) (Manifest, error) {
	blank := signer.Blank()
	m.Signature = &blank
	words, err := Encode(m)
	if err != nil {
		return m, err
	}
	signed := blank
	signed.Value = signer.Key.Sign(words)
	m.Signature = &signed
	return m, nil
}

// SignedWords are the bytes that the signature of an encoded manifest was made of: its own, with the
// value of the signature emptied. They rest on what was written and not on what this version would
// write, so that a signature holds whatever fields later versions add.
func SignedWords(encoded []byte) ([]byte, error) {
	d := jsontext.NewDecoder(bytes.NewReader(encoded))
	for _, member := range []string{"signature", "value"} {
		if err := enter(d, member); err != nil {
			return nil, &fault.Error{Kind: fault.Bug, Message: "the manifest has no signature", Err: err}
		}
	}
	value, err := d.ReadValue()
	if err != nil || value.Kind() != '"' {
		return nil, &fault.Error{Kind: fault.Bug, Message: "the manifest's signature has no value", Err: err}
	}
	end := d.InputOffset()
	words := append(bytes.Clone(encoded[:end-int64(len(value))]), `""`...)
	return append(words, encoded[end:]...), nil
}

// enter goes into the object that follows, up to the value of a member.
func enter(d *jsontext.Decoder, member string) error {
	if d.PeekKind() != '{' {
		return errors.New("no object")
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() == '"' {
		name, err := d.ReadToken()
		if err != nil {
			return err
		}
		if name.String() == member {
			return nil
		}
		if err := d.SkipValue(); err != nil {
			return err
		}
	}
	return io.ErrUnexpectedEOF
}

// CheckSignature holds an encoded manifest against the signature s that it carries, and against
// nobody's trust in the key: it gives the key. The chain of endorsements is for the caller to check.
func CheckSignature(s signature.Signature, encoded []byte) (signature.PublicKey, error) {
	key, err := s.Key()
	if err != nil {
		return key, err
	}
	words, err := SignedWords(encoded)
	if err != nil {
		return key, err
	}
	if !key.Verify(words, s.Value) {
		return key, fault.New(fault.Bug, "it is not the signature of these words with the key %s", key.ID())
	}
	return key, nil
}
