package cli

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rollcall/pipeline/verify"
	"rollcall/sinks/manifest"
	"rollcall/sinks/signature"
)

func TestKeygenMakesAKeyAndNeverOverwritesOne(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "key")
	got := rollcall(t, "keygen", "--out", name)
	private, public := readFile(t, name+".pem"), readFile(t, name+".pub")
	key, err := signature.ParsePrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	if got.code != Done || !strings.Contains(got.stdout, "Made the key "+key.ID()+"\n") || !strings.Contains(got.stdout, "sign { ed25519_key = file(") || !bytes.Equal(public, key.Public().PEM()) {
		t.Errorf("keygen ended with %d: %s%s", got.code, got.stdout, got.stderr)
	}
	if strings.Contains(got.stdout+got.stderr, "PRIVATE KEY") {
		t.Error("the private key is shown")
	}
	if info, err := os.Stat(name + ".pem"); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the private key's mode is %v (%v)", info.Mode(), err)
	}
	got = rollcall(t, "keygen", "--out", name)
	if got.code != ChangeFirst || !strings.Contains(got.stderr, "key.pem is already there and is not overwritten\nWhat to do: give another name with --out") {
		t.Errorf("keygen over a key ended with %d: %s", got.code, got.stderr)
	}
	if !bytes.Equal(readFile(t, name+".pem"), private) || !bytes.Equal(readFile(t, name+".pub"), public) {
		t.Error("it was overwritten all the same")
	}
	if other := rollcall(t, "keygen", "--out", name+"2"); other.code != Done || bytes.Equal(readFile(t, name+"2.pem"), private) {
		t.Errorf("two keys are one (%d: %s)", other.code, other.stderr)
	}
}

func TestKeygenRotates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	old, name := filepath.Join(dir, "old"), filepath.Join(dir, "new")
	if got := rollcall(t, "keygen", "--out", old); got.code != Done {
		t.Fatal(got.stderr)
	}
	got := rollcall(t, "keygen", "--out", name, "--rotate", old+".pem", "--json")
	var made keygenAnswer
	if err := json.Unmarshal([]byte(got.stdout), &made); err != nil || got.code != Done {
		t.Fatalf("keygen --rotate ended with %d: %s%s (%v)", got.code, got.stdout, got.stderr, err)
	}
	endorsement, err := signature.ParseEndorsement(readFile(t, made.Endorsement))
	if err != nil || endorsement.Endorser().ID() != made.EndorsedBy || endorsement.Endorsed().ID() != made.ID || made.Private != name+".pem" || made.Public != name+".pub" {
		t.Errorf("made %+v, endorsement %+v (%v)", made, endorsement, err)
	}
	if got := rollcall(t, "keygen", "--out", name+"2", "--rotate", old+".pem"); got.code != Done || !strings.Contains(got.stdout, "endorsements = [file(") {
		t.Errorf("keygen --rotate ended with %d: %s%s", got.code, got.stdout, got.stderr)
	}
}

func TestAKeyThatCantBeMadeLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		prepare       func(dir string) error
		args          string
		message, hint string
	}{
		"the public half is there": {func(dir string) error { return os.WriteFile(filepath.Join(dir, "new.pub"), nil, 0o600) }, "", "new.pub is already there", "another name"},
		"no folder":                {func(string) error { return nil }, "/sub", "can't be written: no such file or directory", "another place"},
		"no old key":               {func(string) error { return nil }, " --rotate none.pem", "--rotate none.pem can't be read", "check the path"},
		"an old key that is none":  {func(dir string) error { return nil }, " --rotate keygen_test.go", "--rotate keygen_test.go: it is no key in PEM", "rollcall keygen"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := c.prepare(dir); err != nil {
				t.Fatal(err)
			}
			sub, flags, _ := strings.Cut(c.args, " ")
			got := rollcall(t, append([]string{"keygen", "--out", filepath.Join(dir+sub, "new")}, strings.Fields(flags)...)...)
			if got.code != ChangeFirst || !strings.Contains(got.stderr, c.message) || !strings.Contains(got.stderr, c.hint) || got.stdout != "" {
				t.Errorf("keygen ended with %d: %s%s", got.code, got.stdout, got.stderr)
			}
			if _, err := os.Stat(filepath.Join(dir, "new.pem")); err == nil {
				t.Error("a private key was left behind")
			}
		})
	}
	var stdout, stderr bytes.Buffer
	env := testEnv(&stdout, &stderr, "keygen", "--out", filepath.Join(t.TempDir(), "new"))
	env.Entropy = io.LimitReader(strings.NewReader("short"), 5)
	if code := Main(t.Context(), env); code != Unexpected || !strings.Contains(stderr.String(), "make a random key") {
		t.Errorf("without randomness it ended with %d: %s", code, stderr.String())
	}
	if got := rollcall(t, "keygen", "--out", ""); got.code != ChangeFirst {
		t.Errorf("without a name it ended with %d", got.code)
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// verifiesSignatures signs the newest night of a history, as its run would have done, and has it verified.
func verifiesSignatures(t *testing.T, h *audited) {
	name := filepath.Join(t.TempDir(), "key")
	if got := rollcall(t, "keygen", "--out", name); got.code != Done {
		t.Fatal(got.stderr)
	}
	key, err := signature.ParsePrivateKey(readFile(t, name+".pem"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(h.sink, manifest.Path(h.dates[4]))
	m, err := manifest.Decode(readFile(t, path))
	if err != nil {
		t.Fatal(err)
	}
	m, err = manifest.Sign(m, signature.Signer{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	line, err := manifest.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, line, 0o600); err != nil {
		t.Fatal(err)
	}
	got := h.run(t, "verify", "--public-key", name+".pub")
	if got.code != Done || !strings.Contains(got.stdout, "\nThe public key proves 1 manifest, and by them every file that was read") || !strings.Contains(got.stdout, "key "+key.ID()+": sequence 5, trusted") {
		t.Errorf("verify --public-key ended with %d: %s%s", got.code, got.stdout, got.stderr)
	}
	if got := h.run(t, "verify"); got.code != Done || !strings.Contains(got.stdout, "proves nothing about who signed") {
		t.Errorf("verify of a signed sink without a key ended with %d: %s%s", got.code, got.stdout, got.stderr)
	}
	if err := os.WriteFile(path, bytes.Replace(line, []byte(`"exit_code":0`), []byte(`"exit_code":3`), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	var report verify.Report
	got = h.run(t, "verify", "--public-key", name+".pub", "--json")
	if err := json.Unmarshal([]byte(got.stdout), &report); err != nil || got.code != Different || report.Signed.Proved != 0 || report.Findings[0].Kind != verify.Figures || report.Findings[1].Kind != verify.BadSignature {
		t.Errorf("verify of an altered manifest ended with %d: %s%s (%v)", got.code, got.stdout, got.stderr, err)
	}
	if err := os.WriteFile(path, line, 0o600); err != nil {
		t.Fatal(err)
	}
	verifiesByHand(t, path, name+".pub")
}

// verifiesByHand does what the README tells an auditor who trusts OpenSSL more than Rollcall.
func verifiesByHand(t *testing.T, path, public string) {
	openssl, err := exec.LookPath("openssl")
	version, failed := exec.CommandContext(t.Context(), openssl, "version").Output()
	if err != nil || failed != nil || !strings.HasPrefix(string(version), "OpenSSL 3.") {
		t.Logf("no OpenSSL 3 here (%s): its keys and signatures are held against ours in sinks/signature all the same", version)
		return
	}
	line := readFile(t, path)
	m, err := manifest.Decode(line)
	if err != nil {
		t.Fatal(err)
	}
	words, err := manifest.SignedWords(line)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, content := range map[string][]byte{"words": words, "value": m.Signature.Value} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), openssl, "pkeyutl", "-verify", "-pubin", "-inkey", public, "-rawin", "-in", "words", "-sigfile", "value")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "Verified Successfully") {
		t.Errorf("openssl says %s (%v)", out, err)
	}
}
