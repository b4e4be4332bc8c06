package wire

import (
	"fmt"
	"net"
	"net/url"
	"strings"

	"rollcall/schema/spelling"
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
	return checkAddress("endpoint", address, allowHTTP, regions)
}

func checkAddress(attribute, address string, allowHTTP bool, regions []Region) []sources.Problem {
	problem := func(hint, format string, args ...any) []sources.Problem {
		return []sources.Problem{{Attribute: attribute, Message: fmt.Sprintf(format, args...), Hint: hint}}
	}
	example := "give https:// and the host alone; the vendor's own: " + Regions(regions)
	u, err := url.Parse(Endpoint(address))
	invisible := spelling.Invisible(address)
	switch {
	case strings.Contains(address, "@"):
		return problem(example, "carries a user name or password, which it must not")
	case invisible != "":
		return problem("take it out", "%s %s", Quote(address), invisible)
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

// CheckBackup tells what is wrong with the attribute backup_endpoint, which may be empty. An app
// lives in one data centre, so that a host of another one can't stand in for its own.
func CheckBackup(endpoint, backup string, failover, allowHTTP bool, regions []Region) []sources.Problem {
	if backup == "" {
		return nil
	}
	problem := func(message, hint string) []sources.Problem {
		return []sources.Problem{{Attribute: "backup_endpoint", Message: message, Hint: hint}}
	}
	if problems := checkAddress("backup_endpoint", backup, allowHTTP, regions); len(problems) > 0 {
		return problems
	}
	mine, known := region(endpoint, regions)
	other, knownToo := region(backup, regions)
	switch {
	case !failover:
		return problem("is given, and failover = false forbids to use it", "take one of them out")
	case strings.EqualFold(Endpoint(endpoint), Endpoint(backup)):
		return problem("is the same as endpoint", "leave it out, or name another host of the same app")
	case known && knownToo && mine != other:
		return problem(fmt.Sprintf("is in %s, and endpoint in %s: an app is in one data centre alone", other.Name, mine.Name),
			"leave it out: the backup host of "+mine.Name+" is known")
	}
	return nil
}

// Backup is the host to ask where the endpoint can't be reached: the one given, else the other name
// of the same data centre. It is empty where there is none, or where failover is off.
func Backup(endpoint, given string, failover bool, regions []Region) string {
	switch r, known := region(endpoint, regions); {
	case !failover:
		return ""
	case given != "":
		return Endpoint(given)
	case !known:
		return ""
	case strings.EqualFold(Endpoint(endpoint), "https://"+r.Backup):
		return "https://" + r.Main
	default:
		return "https://" + r.Backup
	}
}

func region(address string, regions []Region) (Region, bool) {
	for _, r := range regions {
		if strings.EqualFold(Endpoint(address), "https://"+r.Main) || strings.EqualFold(Endpoint(address), "https://"+r.Backup) {
			return r, true
		}
	}
	return Region{}, false
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// CheckSecret tells what is wrong with a secret attribute, and never shows it.
func CheckSecret(attribute, value, where string) []sources.Problem {
	if value == "" {
		return []sources.Problem{{Attribute: attribute, Message: "is empty", Hint: where}}
	}
	if flaw := spelling.Unprintable(value); flaw != "" {
		return []sources.Problem{{Attribute: attribute, Message: flaw + "; it must be printable ASCII", Hint: where}}
	}
	return nil
}

// CheckAccount tells what is wrong with an attribute that names an app or an account.
func CheckAccount(attribute, value, where string) []sources.Problem {
	flaw := spelling.Unprintable(value)
	switch {
	case value == "":
		flaw = "is empty"
	case flaw == "" && strings.Contains(value, " "):
		flaw = "holds a blank"
	case flaw == "":
		return nil
	}
	return []sources.Problem{{Attribute: attribute, Message: flaw + "; it must be printable ASCII without blanks", Hint: where}}
}
