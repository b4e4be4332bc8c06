package signature_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"rollcall/schema/fault"
	"rollcall/sinks/signature"
)

// numbered makes one of several keys, always the same.
func numbered(t *testing.T, n byte) signature.PrivateKey {
	t.Helper()
	key, err := signature.Generate(bytes.NewReader(bytes.Repeat([]byte{n}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// opensslPrivate, opensslPublic and opensslSigned are what `openssl genpkey`, `openssl pkey -pubout`
// and `openssl pkeyutl -sign -rawin` made of the words "rollcall".
const (
	opensslPrivate = `-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIAjJpd1nRsf2lEd79wbWp7KeG3riWoV6U2RUQ8hlxuJK
-----END PRIVATE KEY-----
`
	opensslPublic = `-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAqFMP6qg7ovRApYFCcjq6Joh5QyoyEVgIL4gHR+yws64=
-----END PUBLIC KEY-----
`
	opensslSigned = "be1257b2fc4353d22ecce3c96452fb4a15df0295b069ae8e633844b6f026227bc3e5c4ff09e5e9f835c5a1a56750470e7afa22f3656522fa475486aa88ccf80c"
	opensslID     = "3c9ba9ee621e3645749c5955dcf9e4d008f215a3db6478d8ea79945c542040ce"
)

func TestOpenSSLsKeysAreReadAndItsSignaturesAreOurs(t *testing.T) {
	t.Parallel()
	private, err := signature.ParsePrivateKey([]byte(opensslPrivate))
	if err != nil {
		t.Fatal(err)
	}
	public, err := signature.ParsePublicKey([]byte(opensslPublic))
	if err != nil {
		t.Fatal(err)
	}
	if private.Public() != public || private.ID() != opensslID {
		t.Errorf("the key is %s", private.ID())
	}
	value := private.Sign([]byte("rollcall"))
	if hex.EncodeToString(value) != opensslSigned || !public.Verify([]byte("rollcall"), value) {
		t.Errorf("signed as %x", value)
	}
	again, err := private.PEM()
	if err != nil || string(again) != opensslPrivate || string(public.PEM()) != opensslPublic {
		t.Errorf("written as\n%s%s (%v)", again, public.PEM(), err)
	}
}

func TestASignatureIsOfTheseWordsByThisKey(t *testing.T) {
	t.Parallel()
	key, other := numbered(t, 1), numbered(t, 2)
	value := key.Sign([]byte("words"))
	if !bytes.Equal(value, key.Sign([]byte("words"))) {
		t.Error("the same words are signed in two ways")
	}
	for what, holds := range map[string]bool{
		"other words":   key.Public().Verify([]byte("word"), value),
		"another key":   other.Public().Verify([]byte("words"), value),
		"half of it":    key.Public().Verify([]byte("words"), value[:32]),
		"nothing":       key.Public().Verify([]byte("words"), nil),
		"the zero key":  signature.PublicKey{}.Verify([]byte("words"), value),
		"no key at all": signature.PrivateKey{}.Public().Verify(nil, nil),
	} {
		if holds {
			t.Errorf("%s passes for the signature", what)
		}
	}
	if key.ID() == other.ID() || len(key.ID()) != 64 {
		t.Errorf("IDs are %s and %s", key.ID(), other.ID())
	}
}

func TestKeysOfOtherKindsAreRefusedWithAdvice(t *testing.T) {
	t.Parallel()
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(curve)
	if err != nil {
		t.Fatal(err)
	}
	publicDER, err := x509.MarshalPKIXPublicKey(curve.Public())
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, content []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}))
	}
	private := func(text string) error { _, err := signature.ParsePrivateKey([]byte(text)); return err }
	public := func(text string) error { _, err := signature.ParsePublicKey([]byte(text)); return err }
	for _, c := range []struct {
		parse               func(string) error
		text, message, hint string
	}{
		{private, "", "no key in PEM", "rollcall keygen"},
		{private, opensslPublic, "a public key", ".pem file"},
		{private, block("ENCRYPTED PRIVATE KEY", []byte("x")), "encrypted", "openssl pkey -in FILE -out NEW"},
		{private, block("OPENSSH PRIVATE KEY", []byte("x")), `"OPENSSH PRIVATE KEY"`, "rollcall keygen"},
		{private, block("hunter2", []byte("x")), `not as "PRIVATE KEY"`, "rollcall keygen"},
		{private, block("PRIVATE KEY", []byte("x")), "damaged", "rollcall keygen"},
		{private, block("PRIVATE KEY", der), "another kind than Ed25519", "openssl genpkey -algorithm ed25519"},
		{public, "", "no key in PEM", ".pub file"},
		{public, opensslPrivate, `"PRIVATE KEY"`, "openssl pkey -in FILE -pubout"},
		{public, block("PUBLIC KEY", []byte("x")), "damaged", ".pub file"},
		{public, block("PUBLIC KEY", publicDER), "another kind than Ed25519", "the run signs with"},
	} {
		f, is := errors.AsType[*fault.Error](c.parse(c.text))
		if !is || f.Kind != fault.Configuration || !strings.Contains(f.Message, c.message) || !strings.Contains(fault.HintOf(f), c.hint) || strings.Contains(f.Error(), "hunter2") {
			t.Errorf("of %.60q it says %+v", c.text, f)
		}
	}
}

func TestEndorsementsLeadFromKeyToKey(t *testing.T) {
	t.Parallel()
	a, b, c := numbered(t, 1), numbered(t, 2), numbered(t, 3)
	first, second := signature.Endorse(a, b.Public()), signature.Endorse(b, c.Public())
	line, err := first.Encode()
	if err != nil {
		t.Fatal(err)
	}
	read, err := signature.ParseEndorsement(bytes.TrimSpace(line))
	if err != nil || read.Endorser() != a.Public() || read.Endorsed() != b.Public() || bytes.Count(line, []byte("\n")) != 1 {
		t.Errorf("%s was read as %+v (%v)", line, read, err)
	}
	altered, stolen := signature.Endorse(a, b.Public()), signature.Endorse(c, b.Public())
	altered.Key = signature.Endorse(a, c.Public()).Key
	stolen.By = first.By
	for what, c := range map[string]struct {
		signer signature.Signer
		fault  string
	}{
		"none":                {signature.Signer{Key: a}, ""},
		"one":                 {signature.Signer{Key: b, Endorsements: signature.Chain{first}}, ""},
		"two":                 {signature.Signer{Key: c, Endorsements: signature.Chain{first, second}}, ""},
		"in the wrong order":  {signature.Signer{Key: b, Endorsements: signature.Chain{second, first}}, "does not follow that of " + c.ID()},
		"to another key":      {signature.Signer{Key: c, Endorsements: signature.Chain{first}}, "the key that signs is " + c.ID()},
		"of another key":      {signature.Signer{Key: c, Endorsements: signature.Chain{altered}}, "was altered, or is not by " + a.ID()},
		"in another's name":   {signature.Signer{Key: b, Endorsements: signature.Chain{stolen}}, "was altered, or is not by " + a.ID()},
		"without keys":        {signature.Signer{Key: b, Endorsements: signature.Chain{{Value: first.Value}}}, "does not name two keys"},
		"without a signature": {signature.Signer{Key: b, Endorsements: signature.Chain{{By: first.By, Key: first.Key}}}, "was altered"},
	} {
		err := c.signer.Check()
		if c.fault == "" && err != nil || c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)) {
			t.Errorf("endorsements %s: %v", what, err)
		}
	}
	for _, text := range []string{"", "{}", `{"by":"x"}`, `{"by":"","key":"","value":"","more":1}`, opensslPrivate} {
		if _, err := signature.ParseEndorsement([]byte(text)); err == nil || strings.Contains(err.Error(), "MC4") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestAPrivateKeyIsNeverPrinted(t *testing.T) {
	t.Parallel()
	key := numbered(t, 'k')
	holder := struct {
		Signer *signature.Signer
		Keys   []signature.PrivateKey
	}{&signature.Signer{Key: key}, []signature.PrivateKey{key}}
	text := fmt.Sprintf("%v %+v %#v %s %q %x %d %v", holder, holder, holder, key, key, key, key, *holder.Signer)
	encoded, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	var logged bytes.Buffer
	slog.New(slog.NewTextHandler(&logged, nil)).Info("a key", "key", key, "holder", holder)
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("a key", "key", key, "holder", holder)
	text += string(encoded) + logged.String() + key.String()
	for _, secret := range []string{"kkkk", "6b6b6b", "107, 107", "107 107", "0x6b", "a2tr"} {
		if strings.Contains(text, secret) {
			t.Errorf("it shows %q: %s", secret, text)
		}
	}
	if !strings.Contains(text, "(secret)") {
		t.Errorf("nothing stands for it: %s", text)
	}
}

func TestNoKeyIsMadeOfTooLittleRandomness(t *testing.T) {
	t.Parallel()
	if _, err := signature.Generate(strings.NewReader("short")); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v", err)
	}
	if !(signature.PrivateKey{}).IsZero() || numbered(t, 1).IsZero() {
		t.Error("what is no key can't be told")
	}
}
