package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"rollcall/schema/fault"
	"rollcall/sources/wire"
)

// networkFault classifies what the network said. Its message names the host but never the URL,
// whose query may hold a signature, and the cause is kept only where its text is known.
func networkFault(err error, request *http.Request, timeout time.Duration) error {
	host := request.URL.Host
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f // of a proxy
	}
	if certificate(err) {
		f := fault.New(fault.Configuration, "the certificate of %s can't be trusted: %s", host, harmless(err, request))
		f.Hint = "check the endpoint's address; behind a proxy that inspects traffic, install its root certificate"
		return untrusted{f}
	}
	var dns *net.DNSError
	var wait net.Error
	switch {
	case outOfFiles(err): // the vendor is not at fault, and no other attempt would help
		return &fault.Error{Kind: fault.Bug, Message: "no connection to " + host + " can be opened", Err: syscall.EMFILE}
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &wait) && wait.Timeout():
		return fault.New(fault.Transient, "no answer from %s within %v", host, timeout)
	case errors.As(err, &dns):
		return fault.New(fault.Transient, "the name %s could not be resolved", dns.Name)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fault.New(fault.Transient, "%s refused the connection", host)
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF),
		errors.Is(err, io.ErrUnexpectedEOF):
		return fault.New(fault.Transient, "the connection to %s was cut", host)
	}
	return fault.New(fault.Transient, "no answer from %s: %q", host, harmless(err, request)) // it may hold what the vendor sent
}

// outOfFiles tells whether there was no file left for a socket; a resolver gives its causes as text alone.
func outOfFiles(err error) bool {
	var dns *net.DNSError
	return fault.OutOfFiles(err) || errors.As(err, &dns) && strings.Contains(dns.Err, syscall.EMFILE.Error())
}

// untrusted is a fault of a host whose certificate was refused: nothing was sent to it.
type untrusted struct{ error }

func (u untrusted) Unwrap() error { return u.error }

// harmless is an error's text without secrets, unless it quotes the request's query: of an answer that is no
// HTTP, net/http quotes whatever came.
func harmless(err error, request *http.Request) string {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	text := err.Error()
	if strings.Contains(text, "?") || request.URL.RawQuery != "" && strings.Contains(text, request.URL.RawQuery) {
		return "the connection failed"
	}
	var hidden []string
	for _, values := range request.URL.Query() {
		for _, value := range values {
			if len(value) > 16 { // no word such as json
				hidden = append(hidden, value)
			}
		}
	}
	return wire.Hide(text, hidden...)
}

func certificate(err error) bool {
	_, verification := errors.AsType[*tls.CertificateVerificationError](err)
	_, authority := errors.AsType[x509.UnknownAuthorityError](err)
	_, name := errors.AsType[x509.HostnameError](err)
	_, invalid := errors.AsType[x509.CertificateInvalidError](err)
	return verification || authority || name || invalid
}

// neverLeft tells whether a request failed before there was a connection to write it to.
func neverLeft(err error) bool {
	if _, ok := errors.AsType[unsent](err); ok {
		return true
	}
	var operation *net.OpError
	var dns *net.DNSError
	return certificate(err) || errors.As(err, &dns) || errors.As(err, &operation) && operation.Op == "dial"
}

// unreplayable is a body that net/http can't rewind, so that it won't send the request again.
type unreplayable struct{ io.ReadCloser }
