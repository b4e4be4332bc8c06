package tencentchat

import (
	"bytes"
	"compress/zlib"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"rollcall/schema"
	"rollcall/schema/fault"
)

const (
	validity = 24 * time.Hour // of a UserSig; Tencent advises at least this much (code 70001)
	renewal  = time.Hour      // a UserSig with less than this left is made anew
)

// signer makes UserSigs and keeps the last one.
type signer struct {
	app        int64
	identifier string
	key        schema.Secret
	now        func() time.Time

	mu      sync.Mutex
	current string
	expires time.Time
}

// sig gives a UserSig with at least an hour left.
func (s *signer) sig() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if s.current != "" && s.expires.Sub(now) >= renewal && s.expires.Sub(now) <= validity {
		return s.current, nil
	}
	sig, err := userSig(s.app, s.identifier, s.key, now, validity)
	if err != nil {
		return "", err
	}
	s.current, s.expires = sig, now.Add(validity)
	return sig, nil
}

// reject forgets sig, which Tencent refused, unless another one has taken its place already.
func (s *signer) reject(sig string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == sig {
		s.current = ""
	}
}

// userSig makes a signature by TLSSigAPIv2: JSON, zlib, and a base64 with three letters of its own
// (Tencent, tls-sig-api-v2-golang).
func userSig(app int64, identifier string, key schema.Secret, now time.Time, valid time.Duration) (string, error) {
	seconds := int64(valid / time.Second)
	text, err := json.Marshal(struct {
		Version    string `json:"TLS.ver"`
		Identifier string `json:"TLS.identifier"`
		App        int64  `json:"TLS.sdkappid"`
		Expire     int64  `json:"TLS.expire"`
		Time       int64  `json:"TLS.time"`
		Sig        string `json:"TLS.sig"`
	}{"2.0", identifier, app, seconds, now.Unix(), mac(app, identifier, key, now.Unix(), seconds)})
	if err != nil {
		return "", fault.New(fault.Configuration, "no UserSig can be made for this identifier: it is no valid text")
	}
	var packed bytes.Buffer
	z := zlib.NewWriter(&packed)
	z.Write(text) // into memory, which doesn't fail
	z.Close()
	return strings.NewReplacer("+", "*", "/", "-", "=", "_").Replace(base64.StdEncoding.EncodeToString(packed.Bytes())), nil
}

// mac signs the four lines that TLSSigAPIv2 names, each ended by a line feed.
func mac(app int64, identifier string, key schema.Secret, at, seconds int64) string {
	h := hmac.New(sha256.New, []byte(key.Reveal()))
	fmt.Fprintf(h, "TLS.identifier:%s\nTLS.sdkappid:%d\nTLS.time:%d\nTLS.expire:%d\n", identifier, app, at, seconds)
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// request makes one signed request with a random number of its own, and tells its UserSig.
func (s *Source) request(ctx context.Context, path string, body []byte) (*http.Request, string, error) {
	sig, err := s.signer.sig()
	if err != nil {
		return nil, "", err
	}
	query := url.Values{
		"sdkappid":    {strconv.FormatInt(s.signer.app, 10)},
		"identifier":  {s.signer.identifier},
		"usersig":     {sig},
		"random":      {strconv.FormatUint(s.env.Random()>>32, 10)},
		"contenttype": {"json"},
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.endpoint+path+"?"+query.Encode(), bytes.NewReader(body))
	if err != nil {
		return nil, "", fault.New(fault.Configuration, "no request can be made for Tencent's %s: check endpoint", path)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	return r, sig, nil
}
