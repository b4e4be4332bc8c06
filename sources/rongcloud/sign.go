package rongcloud

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"rollcall/schema"
	"rollcall/schema/fault"
)

// sign is the lower-case hex SHA-1 of secret, nonce and timestamp one behind the other
// (RongCloud, auth page).
func sign(secret schema.Secret, nonce, timestamp string) string {
	sum := sha1.Sum([]byte(secret.Reveal() + nonce + timestamp))
	return hex.EncodeToString(sum[:])
}

// request makes one signed request with a nonce and a time of its own, and tells its signature.
// The documents ask for milliseconds and at most 18 characters of nonce; 64 bits in base 36 are 13.
func (s *Source) request(ctx context.Context, path string, form url.Values) (*http.Request, string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.endpoint+path, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, "", fault.New(fault.Configuration, "no request can be made for RongCloud's %s: check endpoint", path)
	}
	nonce := strconv.FormatUint(s.env.Random(), 36)
	timestamp := strconv.FormatInt(s.env.Now().UnixMilli(), 10)
	signature := sign(s.secret, nonce, timestamp)
	r.Header.Set("App-Key", s.key)
	r.Header.Set("Nonce", nonce)
	r.Header.Set("Timestamp", timestamp)
	r.Header.Set("Signature", signature)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	return r, signature, nil
}
