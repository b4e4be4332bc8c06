package wire

import (
	"fmt"
	"net"
	"net/url"
	"strings"

	"rollcall/sources"
)

// Region is one data centre of a vendor.
type Region struct {
	Name, Main, Backup string // hosts
}

// Regions lists the endpoints of all regions for a hint: "https://… (Beijing), https://… (Singapore)".
func Regions(regions []Region) string {
	all := make([]string, 0, len(regions))
	for _, r := range regions {
		all = append(all, fmt.Sprintf("https://%s (%s)", r.Main, r.Name))
	}
	return strings.Join(all, ", ")
}

// Endpoint is the address without the slash that people leave at its end.
func Endpoint(address string) string { return strings.TrimSuffix(address, "/") }

// CheckEndpoint tells what is wrong with the attribute endpoint. Any host may be named, since
// vendors also run private deployments, and the backup host of a region serves as well as its main one.
func CheckEndpoint(address string, allowHTTP bool, regions []Region) []sources.Problem {
	problem := func(hint, format string, args ...any) []sources.Problem {
		return []sources.Problem{{Attribute: "endpoint", Message: fmt.Sprintf(format, args...), Hint: hint}}
	}
	example := "give https:// and the host alone; the vendor's own: " + Regions(regions)
	u, err := url.Parse(Endpoint(address))
	switch {
	case strings.Contains(address, "@"):
		return problem(example, "carries a user name or password, which it must not")
	case err != nil || u.Opaque != "" || u.Hostname() == "":
		return problem(example, "%s is no address of a server", Quote(address))
	case u.Scheme != "https" && u.Scheme != "http":
		return problem(example, "%s is neither https nor http", Quote(address))
	case u.Path != "" || u.RawQuery != "" || u.ForceQuery || strings.Contains(address, "#"):
		return problem(example, "%s has something behind its host", Quote(address))
	case u.Scheme == "http" && !allowHTTP && !loopback(u.Hostname()):
		return problem("use https, or set allow_http = true if the way to this host is safe",
			"%s is plain http, which anybody on the way can read", Quote(address))
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// Printable tells whether text is visible ASCII throughout, as keys and accounts in headers and
// signatures must be.
func Printable(text string) bool {
	return text != "" && strings.IndexFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

// CheckSecret tells what is wrong with a secret attribute, and never shows it.
func CheckSecret(attribute, value, where string) []sources.Problem {
	switch {
	case value == "":
		return []sources.Problem{{Attribute: attribute, Message: "is empty", Hint: where}}
	case strings.TrimSpace(value) != value:
		return []sources.Problem{{Attribute: attribute, Message: "begins or ends with blank space or a line break",
			Hint: "take the blank space out of the variable or file it comes from"}}
	}
	return nil
}
