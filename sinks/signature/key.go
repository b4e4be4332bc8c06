package signature

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"

	"rollcall/schema/advice"
	"rollcall/schema/fault"
)

// PublicKey tells whether something was signed with its private half. It can be compared.
type PublicKey struct{ raw [ed25519.PublicKeySize]byte }

// publicKey takes 32 bytes; of others it makes the zero key, with which nothing was signed.
func publicKey(raw []byte) PublicKey {
	var k PublicKey
	if len(raw) == len(k.raw) {
		copy(k.raw[:], raw)
	}
	return k
}

// ID is the SHA-256 of the key in DER, in hex: what `openssl pkey -pubin -outform DER | sha256sum` says.
func (k PublicKey) ID() string {
	sum := sha256.Sum256(k.der())
	return hex.EncodeToString(sum[:])
}

func (k PublicKey) der() []byte {
	der, _ := x509.MarshalPKIXPublicKey(ed25519.PublicKey(k.raw[:])) // of a key of the right kind: can't fail
	return der
}

// PEM is the key as a file.
func (k PublicKey) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: publicBlock, Bytes: k.der()})
}

// Verify tells whether value is the signature of words with this key's private half.
func (k PublicKey) Verify(words, value []byte) bool {
	return k != PublicKey{} && ed25519.Verify(k.raw[:], words, value)
}

// PrivateKey signs. However it is printed it is redacted; the zero PrivateKey is none.
type PrivateKey struct{ raw ed25519.PrivateKey }

// Generate makes a key of 32 random bytes.
func Generate(random io.Reader) (PrivateKey, error) {
	seed := make([]byte, ed25519.SeedSize)
	if _, err := io.ReadFull(random, seed); err != nil {
		return PrivateKey{}, fault.Wrap(err, "make a random key")
	}
	return PrivateKey{ed25519.NewKeyFromSeed(seed)}, nil
}

// IsZero tells whether k is no key.
func (k PrivateKey) IsZero() bool { return len(k.raw) == 0 }

// Public is the half that may be known.
func (k PrivateKey) Public() PublicKey {
	if k.IsZero() {
		return PublicKey{}
	}
	return publicKey(k.raw.Public().(ed25519.PublicKey))
}

// ID is that of the public half.
func (k PrivateKey) ID() string { return k.Public().ID() }

// Sign gives the 64 bytes of the signature of words, always the same.
func (k PrivateKey) Sign(words []byte) []byte { return ed25519.Sign(k.raw, words) }

// PEM is the key as a file, which is a secret.
func (k PrivateKey) PEM() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k.raw)
	if err != nil {
		return nil, &fault.Error{Kind: fault.Bug, Message: "the key can't be written", Err: err}
	}
	return pem.EncodeToMemory(&pem.Block{Type: privateBlock, Bytes: der}), nil
}

// redacted is what a private key prints as.
const redacted = "(secret)"

// String prints nothing of the key.
func (k PrivateKey) String() string { return redacted }

// Format prints nothing of the key, whatever the verb.
func (k PrivateKey) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, redacted) }

// MarshalText writes nothing of the key.
func (k PrivateKey) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue logs nothing of the key.
func (k PrivateKey) LogValue() slog.Value { return slog.StringValue(redacted) }

// The kinds of PEM blocks that are read.
const (
	privateBlock = "PRIVATE KEY"
	publicBlock  = "PUBLIC KEY"
)

// ParsePrivateKey reads a private key in PEM. What stands before and after the block is passed over.
func ParsePrivateKey(text []byte) (PrivateKey, error) {
	block, _ := pem.Decode(text)
	switch {
	case block == nil:
		return PrivateKey{}, noKey("it is no key in PEM")
	case block.Type == publicBlock:
		return PrivateKey{}, wrong("it is a public key, and signing needs the private one", "give the .pem file that keygen wrote, not the .pub file")
	case block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "":
		return PrivateKey{}, wrong("it is encrypted with a passphrase", "decrypt it where only the run can read it: openssl pkey -in FILE -out NEW")
	case block.Type != privateBlock:
		return PrivateKey{}, noKey(formOf(block.Type))
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return PrivateKey{}, noKey("it is damaged: no private key in PKCS#8")
	}
	private, is := key.(ed25519.PrivateKey)
	if !is {
		return PrivateKey{}, noKey("it is a key of another kind than Ed25519")
	}
	return PrivateKey{private}, nil
}

// formOf names another form of key. Only known words are repeated, since the text is a secret.
func formOf(block string) string {
	switch block {
	case "OPENSSH PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY":
		return fmt.Sprintf("it is in PEM as %q, not as %q", block, privateBlock)
	}
	return fmt.Sprintf("it is in PEM, but not as %q", privateBlock)
}

// ParsePublicKey reads a public key in PEM.
func ParsePublicKey(text []byte) (PublicKey, error) {
	block, _ := pem.Decode(text)
	switch {
	case block == nil:
		return PublicKey{}, wrong("it is no key in PEM", "give the .pub file that keygen wrote")
	case block.Type != publicBlock:
		return PublicKey{}, wrong(fmt.Sprintf("it is in PEM as %.40q, not as %q", block.Type, publicBlock), "give the .pub file; of a private key it is made with: openssl pkey -in FILE -pubout")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return PublicKey{}, wrong("it is damaged: no public key", "give the .pub file that keygen wrote")
	}
	public, is := key.(ed25519.PublicKey)
	if !is {
		return PublicKey{}, wrong("it is a key of another kind than Ed25519", "give the public half of the key that the run signs with")
	}
	return publicKey(public), nil
}

// noKey is a fault where a new key helps.
func noKey(what string) error {
	return &fault.Error{Kind: fault.Configuration, Message: what,
		Hint: "make one with {}, or with: openssl genpkey -algorithm ed25519", Commands: []advice.Command{advice.Rollcall("keygen")}}
}

func wrong(what, hint string) error {
	return &fault.Error{Kind: fault.Configuration, Message: what, Hint: hint}
}
