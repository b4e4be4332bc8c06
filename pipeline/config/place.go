package config

import (
	"fmt"
	"regexp"
	"strings"

	"rollcall/schema/dialect"
	"rollcall/schema/fault"
	"rollcall/schema/spelling"
)

// checkBucket holds a bucket's name against what AWS allows. Other stores have rules of their own, so that
// of their names only what no address can hold is refused.
func (s *section) checkBucket(name string, aws bool) {
	at := s.where("bucket")
	if strings.ContainsAny(name, "/:") {
		s.fault(at, "bucket is a name alone", "Leave out s3:// and what follows the name; folders inside the bucket go to prefix.")
		return
	}
	if invisible := spelling.Invisible(name); invisible != "" {
		s.fault(at, s.origin("bucket")+" "+invisible, "Give the bucket's name alone.")
		return
	}
	if !aws {
		return
	}
	allowed, address := regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`), regexp.MustCompile(`^\d+(\.\d+){3}$`)
	const shortest, longest = 3, 63
	problem := ""
	switch {
	case len(name) < shortest || len(name) > longest:
		problem = fmt.Sprintf("it has %d characters, and 3 to 63 are allowed", len(name))
	case !allowed.MatchString(name):
		problem = "lower-case letters, digits, hyphens and dots are allowed, with a letter or digit at both ends"
	case strings.Contains(name, ".."):
		problem = "it has two dots in a row"
	case address.MatchString(name):
		problem = "it looks like an IP address"
	default:
		return
	}
	s.fault(at, fmt.Sprintf("S3 has no bucket %q: %s", name, problem), "Give the name as the console of S3 shows it; for a store with other rules, give its endpoint.")
}

// warnOfPlace warns of a place that snapshots can be written to and DuckDB or Athena can't read.
func (s *section) warnOfPlace(name, root string) {
	place := dialect.Place{Root: root}
	for _, check := range []func(dialect.Place) error{dialect.CheckDuckDB, dialect.CheckAthena} {
		if err := check(place); err != nil {
			if s.block.Body.Attributes[name] != nil {
				s.warn(s.where(name), err.Error(), sentence(fault.HintOf(err)))
			}
			return
		}
		if !strings.HasPrefix(root, "s3://") {
			return // Athena reads buckets only
		}
	}
}
