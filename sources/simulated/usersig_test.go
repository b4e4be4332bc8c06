package simulated

import (
	"strings"
	"testing"
)

const vectorKey = "5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e"

func vector() ticket {
	return ticket{Version: "2.0", Identifier: "admin", AppID: 1400000000, Time: 1700000000, Expire: 86400}
}

func TestTheUserSigOfTheCrossChecks(t *testing.T) {
	t.Parallel()
	if got := vector().mac(vectorKey); got != "4lUxqF/B+QS/FhzU388MWw47s2GIKgpTCF1WmWL/l5Y=" {
		t.Errorf("mac %s", got)
	}
}

func TestAUserSigIsVerifiedInTheVendorsOrder(t *testing.T) {
	t.Parallel()
	buf := "dXNlcmJ1Zg=="
	withBuffer := vector()
	withBuffer.UserBuf = &buf
	old := vector()
	old.Version = "1.0"
	good := vector().pack(vectorKey)
	for name, c := range map[string]struct {
		sig, app, id string
		now          int64
		code         int
	}{
		"good to its last second":          {good, "1400000000", "admin", 1700086400, 0},
		"signed in the future":             {good, "1400000000", "admin", 1600000000, 0},
		"with a user buffer":               {withBuffer.pack(vectorKey), "1400000000", "admin", 1700000000, 0},
		"expired":                          {good, "1400000000", "admin", 1700086401, 70001},
		"empty":                            {"", "1400000000", "admin", 1700000000, 70002},
		"cut off":                          {good[:len(good)/2], "1400000000", "admin", 1700000000, 70003},
		"in ordinary base64":               {strings.ReplaceAll(good, "_", "=") + "=", "1400000000", "admin", 1700000000, 70003},
		"of an older version":              {old.pack(vectorKey), "1400000000", "admin", 1700000000, 70005},
		"by another key":                   {vector().pack("other"), "1400000000", "admin", 1700000000, 70009},
		"for somebody else":                {good, "1400000000", "root", 1700000000, 70013},
		"for another app":                  {good, "1400000001", "admin", 1700000000, 70014},
		"for another app and long expired": {good, "1400000001", "admin", 1800000000, 70014},
	} {
		if _, code := verify(c.sig, c.app, c.id, vectorKey, c.now); code != c.code {
			t.Errorf("%s: %d", name, code)
		}
	}
}

func FuzzUnpackUserSig(f *testing.F) {
	f.Add(vector().pack(vectorKey))
	f.Add("eJw*")
	f.Fuzz(func(t *testing.T, sig string) {
		if _, code := verify(sig, "1400000000", "admin", "unknown key", 1700000000); code == 0 {
			t.Error("a forged signature is accepted")
		}
	})
}
