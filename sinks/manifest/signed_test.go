package manifest_test

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"rollcall/sinks/manifest"
	"rollcall/sinks/signature"
)

func signer(t *testing.T, n byte) signature.Signer {
	t.Helper()
	key, err := signature.Generate(bytes.NewReader(bytes.Repeat([]byte{n}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	return signature.Signer{Key: key}
}

func sign(t *testing.T, m manifest.Manifest, by signature.Signer) (manifest.Manifest, []byte) {
	t.Helper()
	signed, err := manifest.Sign(m, by)
	if err != nil {
		t.Fatal(err)
	}
	return signed, encode(t, signed)
}

func TestASignedManifestIsOneLineThatSaysWhoSigned(t *testing.T) {
	t.Parallel()
	m, line := sign(t, sample(), signer(t, 1))
	plain := strings.TrimSuffix(string(encode(t, sample())), "null}\n")
	if !strings.HasPrefix(string(line), plain+`{"algorithm":"ed25519","key_id":"`+signer(t, 1).Key.ID()+`","public_key":"`) || bytes.Count(line, []byte("\n")) != 1 {
		t.Errorf("signed as %s", line)
	}
	for range 5 {
		if _, again := sign(t, sample(), signer(t, 1)); !bytes.Equal(again, line) {
			t.Fatal("the same statement is signed in two ways")
		}
	}
	if _, again := sign(t, m, signer(t, 1)); !bytes.Equal(again, line) {
		t.Error("a statement that is signed already is signed in another way")
	}
	read, err := manifest.Decode(line)
	if err != nil {
		t.Fatal(err)
	}
	if key, err := manifest.CheckSignature(*read.Signature, line); err != nil || key != signer(t, 1).Key.Public() {
		t.Errorf("it is signed by %s (%v)", key.ID(), err)
	}
}

// TestEveryByteOfASignedManifestIsSigned flips a bit of each: the line is no such manifest any more, or its
// signature does not hold.
func TestEveryByteOfASignedManifestIsSigned(t *testing.T) {
	t.Parallel()
	by := signer(t, 2)
	by.Endorsements = signature.Chain{signature.Endorse(signer(t, 1).Key, by.Key.Public())}
	_, line := sign(t, sample(), by)
	for i := range line {
		altered := bytes.Clone(line)
		altered[i] ^= 1 << (i % 8)
		m, err := manifest.Decode(altered)
		if err != nil || m.Signature == nil {
			continue
		}
		key, err := manifest.CheckSignature(*m.Signature, altered)
		if again := encode(t, m); err == nil && key == by.Key.Public() && bytes.Equal(again, altered) {
			t.Fatalf("a bit of byte %d is not signed: %s", i, altered)
		}
	}
}

// TestASignatureHoldsWithFieldsOfOtherVersions holds that the words are those that were written: a
// later version that adds fields must not break the signatures of today, nor the other way round.
func TestASignatureHoldsWithFieldsOfOtherVersions(t *testing.T) {
	t.Parallel()
	by := signer(t, 1)
	_, line := sign(t, sample(), by)
	for what, change := range map[string]func(string) string{
		"a field more, after it":  func(s string) string { return strings.TrimSuffix(s, "}\n") + `,"later":{"value":"x"}}` + "\n" },
		"a field more, before it": func(s string) string { return strings.Replace(s, `,"tool"`, `,"signatures":{"value":1},"tool"`, 1) },
		"a field less":            func(s string) string { return strings.Replace(s, `"changes_note":"",`, "", 1) },
	} {
		words, err := manifest.SignedWords([]byte(change(string(line))))
		if err != nil {
			t.Fatal(err)
		}
		s := by.Blank()
		s.Value = by.Key.Sign(words)
		m, err := manifest.Decode(line)
		if err != nil {
			t.Fatal(err)
		}
		before, after, _ := strings.Cut(change(string(line)), base64.StdEncoding.EncodeToString(m.Signature.Value))
		other := []byte(before + base64.StdEncoding.EncodeToString(s.Value) + after)
		if bytes.Equal(other, line) {
			t.Fatalf("with %s nothing changes", what)
		}
		if _, err := manifest.CheckSignature(s, other); err != nil {
			t.Errorf("with %s: %v", what, err)
		}
	}
}

func TestWhatHasNoSignatureHasNoSignedWords(t *testing.T) {
	t.Parallel()
	for _, text := range []string{string(encode(t, sample())), "", "[]", "{", `{"signature":{}}`, `{"signature":{"value":1}}`, `{"signature":{"value":"x`, `{"value":"x"}`} {
		if words, err := manifest.SignedWords([]byte(text)); err == nil {
			t.Errorf("the words of %.40q are %q", text, words)
		}
	}
}
