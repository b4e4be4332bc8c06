package sinktest

import (
	"cmp"
	"fmt"
	"net"
	"net/http"
	"strings"
)

// Dialect is how a store differs from a bucket of S3 that is asked in path style.
type Dialect struct {
	VirtualHosted string // the code with which path-style requests are refused, as OSS and COS do; empty: they are answered
	NoChunks      bool   // bodies in aws-chunked encoding, which trailing checksums need, are refused, as OSS does
	Region        string // requests that are signed for another one are refused; empty: all are taken
	Unnamed       bool   // the refusal names no region in a header, only in its body
	NoChecksums   bool   // checksums are neither looked at nor kept nor told
}

// address finds the bucket and the key that a request is about, or refuses it.
func (b *Bucket) address(w http.ResponseWriter, r *http.Request) (key string, err error) {
	host := cmp.Or(r.Host, r.URL.Host)
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	path := strings.TrimPrefix(r.URL.Path, "/")
	name, key, _ := strings.Cut(path, "/")
	if label, _, found := strings.Cut(host, "."); found && label == b.Name {
		name, key = label, path
	} else if b.Dialect.VirtualHosted != "" {
		return "", refusal{status: http.StatusForbidden, code: b.Dialect.VirtualHosted}
	}
	if name != b.Name {
		return "", refusal{status: http.StatusNotFound, code: "NoSuchBucket"}
	}
	if b.Dialect.NoChunks && (strings.Contains(r.Header.Get("Content-Encoding"), "aws-chunked") || r.Header.Get("X-Amz-Trailer") != "" ||
		strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING")) {
		return "", refusal{status: http.StatusBadRequest, code: "InvalidArgument"}
	}
	return key, b.Dialect.elsewhere(w, r)
}

// elsewhere refuses what is signed for another region ("Error responses" page, AuthorizationHeaderMalformed).
func (d Dialect) elsewhere(w http.ResponseWriter, r *http.Request) error {
	_, scope, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	parts := strings.Split(scope, "/") // key, day, region, service
	if d.Region == "" || len(parts) < 4 || parts[2] == d.Region {
		return nil
	}
	if !d.Unnamed {
		w.Header().Set("X-Amz-Bucket-Region", d.Region)
	}
	return refusal{status: http.StatusBadRequest, code: "AuthorizationHeaderMalformed", more: fmt.Sprintf("<Region>%s</Region>", d.Region)}
}
