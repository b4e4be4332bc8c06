package pipeline_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"rollcall/pipeline"
	"rollcall/pipeline/event"
	"rollcall/pipeline/job"
	"rollcall/sinks/manifest"
	"rollcall/sinks/signature"
)

func signingKey(t *testing.T, n byte) signature.PrivateKey {
	t.Helper()
	key, err := signature.Generate(bytes.NewReader(bytes.Repeat([]byte{n}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// TestANightIsSignedWithTheKeyThatItIsSealedWith stops a night that would be signed with one key, and
// goes on with the one that took its place.
func TestANightIsSignedWithTheKeyThatItIsSealedWith(t *testing.T) {
	t.Parallel()
	old, key := signingKey(t, 1), signingKey(t, 2)
	n := newNight(t, nasty(11, 60, 12)).everything()
	plain := job.Fingerprint(n.job)
	n.job.Sign = &signature.Signer{Key: old}
	if job.Fingerprint(n.job) != plain {
		t.Error("who signs is part of the fingerprint: a rotated key would look like another configuration")
	}
	stopped := &pipeline.StoppedError{}
	if _, err := n.runCut(40); !errors.As(err, &stopped) {
		t.Fatalf("the run was not stopped: %v", err)
	}
	n.job.Sign = &signature.Signer{Key: key, Endorsements: signature.Chain{signature.Endorse(old, key.Public())}}
	s := n.sealed()
	line, err := os.ReadFile(filepath.Join(n.out, manifest.Path(s.Date)))
	if err != nil {
		t.Fatal(err)
	}
	if s.Manifest.Signature == nil || manifest.Sum(line) != s.Sum {
		t.Fatalf("the answer is not what lies in the sink: %+v", s.Manifest.Signature)
	}
	m, err := manifest.Decode(line)
	if err != nil {
		t.Fatal(err)
	}
	if by, err := manifest.CheckSignature(*m.Signature, line); err != nil || by != key.Public() || m.Signature.Endorsements.Keys()[0] != old.Public() {
		t.Errorf("signed by %s (%v)", by.ID(), err)
	}
	// The same statement signed anew, as by a run that died before its manifest was stored, has the same bytes.
	again, err := manifest.Sign(m, *n.job.Sign)
	if err != nil {
		t.Fatal(err)
	}
	if encoded, err := manifest.Encode(again); err != nil || !bytes.Equal(encoded, line) {
		t.Errorf("signed again it is %s (%v)", encoded, err)
	}
	for _, secret := range [][]byte{bytes.Repeat([]byte{2}, 32), []byte("PRIVATE KEY")} {
		if bytes.Contains(line, secret) {
			t.Error("the private key stands in the manifest")
		}
	}
}

// TestAKeyThatNothingLeadsToIsToldAtTheSeal seals a night by one key and the next ones by others.
func TestAKeyThatNothingLeadsToIsToldAtTheSeal(t *testing.T) {
	t.Parallel()
	old, key := signingKey(t, 1), signingKey(t, 2)
	for name, next := range map[string]struct {
		sign *signature.Signer
		want string // a part of the warning; empty: none
	}{
		"the same key":  {&signature.Signer{Key: old}, ""},
		"an endorsed":   {&signature.Signer{Key: key, Endorsements: signature.Chain{signature.Endorse(old, key.Public())}}, ""},
		"a stranger's":  {&signature.Signer{Key: key}, "no endorsement links it"},
		"no key at all": {nil, "this one is not"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNight(t, nasty(11, 20, 6)).block("rongcloud_user_groups", users("rc_users"))
			n.job.Sign = &signature.Signer{Key: old}
			if _, err := n.run(func(r *pipeline.Request) { r.Date = "2026-11-20" }); err != nil {
				t.Fatal(err)
			}
			n.job.Sign = next.sign
			var mu sync.Mutex
			var told []string
			if _, err := n.run(func(r *pipeline.Request) {
				r.Listen = func(e event.Event) {
					if notice, ok := e.(event.Notice); ok && notice.Warning {
						mu.Lock()
						defer mu.Unlock()
						told = append(told, notice.Text)
					}
				}
			}); err != nil {
				t.Fatal(err)
			}
			all := strings.Join(told, "\n")
			if next.want == "" && strings.Contains(all, "sign") || !strings.Contains(all, next.want) {
				t.Errorf("told %q, want %q", all, next.want)
			}
		})
	}
}
