package simulated

import (
	"bytes"
	"compress/zlib"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ticket is what a UserSig (TLSSigAPIv2) holds once it is unpacked.
type ticket struct {
	Version    string  `json:"TLS.ver"`
	Identifier string  `json:"TLS.identifier"`
	AppID      uint64  `json:"TLS.sdkappid"`
	Expire     int64   `json:"TLS.expire"`
	Time       int64   `json:"TLS.time"`
	UserBuf    *string `json:"TLS.userbuf"`
	Sig        string  `json:"TLS.sig"`
}

// unpackUserSig undoes the vendor's base64 (+ / = are * - _), zlib and JSON.
func unpackUserSig(sig string) (ticket, error) {
	var t ticket
	if strings.ContainsAny(sig, "+/=") {
		return t, fmt.Errorf("characters of ordinary base64")
	}
	packed, err := base64.StdEncoding.DecodeString(strings.NewReplacer("*", "+", "-", "/", "_", "=").Replace(sig))
	if err != nil {
		return t, err
	}
	z, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		return t, err
	}
	plain, err := io.ReadAll(io.LimitReader(z, 64<<10))
	if err != nil {
		return t, err
	}
	return t, json.Unmarshal(plain, &t)
}

// mac signs the lines that TLSSigAPIv2 signs, each ended by a line feed.
func (t ticket) mac(key string) string {
	h := hmac.New(sha256.New, []byte(key))
	fmt.Fprintf(h, "TLS.identifier:%s\nTLS.sdkappid:%d\nTLS.time:%d\nTLS.expire:%d\n", t.Identifier, t.AppID, t.Time, t.Expire)
	if t.UserBuf != nil {
		fmt.Fprintf(h, "TLS.userbuf:%s\n", *t.UserBuf)
	}
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// sigCache remembers the signature that was verified last: an honest client sends it a million times.
type sigCache struct {
	mu              sync.Mutex
	sig, identifier string
	until           int64

	made      string // by UserSig, with its own validity and time
	validity  time.Duration
	madeAtSec int64
}

// checkUserSig verifies in the order of the vendor's own verifier: app, identifier, expiry, mac. It
// returns the error code, 0 for a good one.
func (w *World) checkUserSig(sig, appID, identifier string) int {
	now := w.now().Unix()
	w.sigs.mu.Lock()
	defer w.sigs.mu.Unlock()
	if sig == w.sigs.sig && identifier == w.sigs.identifier && now <= w.sigs.until {
		return 0
	}
	t, code := verify(sig, appID, identifier, w.options.SecretKey, now)
	if code == 0 {
		w.sigs.sig, w.sigs.identifier, w.sigs.until = sig, identifier, t.Time+t.Expire
	}
	return code
}

func verify(sig, appID, identifier, key string, now int64) (ticket, int) {
	if sig == "" {
		return ticket{}, 70002
	}
	t, err := unpackUserSig(sig)
	if err != nil {
		return t, 70003
	}
	mac, err := base64.StdEncoding.DecodeString(t.Sig)
	switch {
	case t.Version != "2.0" || err != nil || len(mac) != sha256.Size:
		return t, 70005
	case strconv.FormatUint(t.AppID, 10) != appID:
		return t, 70014
	case t.Identifier != identifier:
		return t, 70013
	case now > t.Time+t.Expire:
		return t, 70001
	case !hmac.Equal([]byte(t.Sig), []byte(t.mac(key))):
		return t, 70009
	}
	return t, 0
}

// UserSig makes a signature as the simulated app accepts it, for tests that play a client. Within
// one second it is made once.
func (w *World) UserSig(valid time.Duration) string {
	now := w.now().Unix()
	w.sigs.mu.Lock()
	defer w.sigs.mu.Unlock()
	if w.sigs.made == "" || w.sigs.validity != valid || w.sigs.madeAtSec != now {
		appID, _ := strconv.ParseUint(w.options.SDKAppID, 10, 64) // an ID that is no number matches no signature
		t := ticket{Version: "2.0", Identifier: w.options.Identifier, AppID: appID, Expire: int64(valid / time.Second), Time: now}
		w.sigs.made, w.sigs.validity, w.sigs.madeAtSec = t.pack(w.options.SecretKey), valid, now
	}
	return w.sigs.made
}

func (t ticket) pack(key string) string {
	t.Sig = t.mac(key)
	fields := map[string]any{
		"TLS.ver": t.Version, "TLS.identifier": t.Identifier, "TLS.sdkappid": t.AppID, "TLS.expire": t.Expire, "TLS.time": t.Time, "TLS.sig": t.Sig,
	}
	if t.UserBuf != nil {
		fields["TLS.userbuf"] = *t.UserBuf
	}
	plain, err := json.Marshal(fields)
	if err != nil {
		return ""
	}
	var packed bytes.Buffer
	z, err := zlib.NewWriterLevel(&packed, zlib.BestSpeed)
	if err != nil {
		return ""
	}
	_, _ = z.Write(plain) // a bytes.Buffer takes everything
	_ = z.Close()
	return strings.NewReplacer("+", "*", "/", "-", "=", "_").Replace(base64.StdEncoding.EncodeToString(packed.Bytes()))
}
