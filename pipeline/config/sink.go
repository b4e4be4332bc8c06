package config

import (
	"fmt"
	"math"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"rollcall/pipeline/job"
	"rollcall/schema/spelling"
)

// DefaultSink is where snapshots go when no sink is configured: a folder beside the configuration.
const DefaultSink = "./snapshots"

func (l *loader) readSink() {
	all := l.of("sink")
	if len(all) == 0 {
		l.job.Sink = job.Sink{Address: "local.default", Local: &job.Local{Path: l.localPath(DefaultSink)}}
		return
	}
	for i, address := range all {
		block := l.blocks[address]
		if i > 0 {
			l.fault(block.DefRange(), "There is a second sink", fmt.Sprintf("A configuration has one sink, and the first is at %s. Keep one of them.", l.place(l.blocks[all[0]].DefRange())))
		}
		sink := job.Sink{Address: strings.Join(block.Labels, ".")}
		switch block.Labels[0] {
		case "local":
			sink.Local = l.readLocal(block)
		case "s3":
			sink.S3 = l.readS3(block)
		default:
			l.fault(block.LabelRanges[0], fmt.Sprintf("There is no sink type %q", block.Labels[0]), didYouMean(block.Labels[0], "sink types", []string{"local", "s3"}))
		}
		if i == 0 {
			l.job.Sink = sink
		}
	}
}

func (l *loader) readLocal(block *hclsyntax.Block) *job.Local {
	s := l.section(block)
	for _, block := range block.Body.Blocks {
		if block.Type == "retention" {
			s.told = append(s.told, block.Type)
			s.fault(block.TypeRange, "A folder can't lock what lies in it", `retention is S3's Object Lock: it belongs into a sink "s3". Remove it here.`)
		}
	}
	path, ok := s.needText("path", `"`+DefaultSink+`"`)
	if ok && (path == "-" || strings.HasPrefix(path, "s3://")) {
		s.fault(s.where("path"), "path is no folder", `A bucket is a sink of its own: sink "s3" "NAME" { bucket = "…" }`)
	}
	s.end()
	s.warnOfPlace("path", l.localPath(path))
	return &job.Local{Path: l.localPath(path)}
}

func (l *loader) readS3(block *hclsyntax.Block) *job.S3 {
	s := l.section(block)
	sink := &job.S3{}
	bucket, ok := s.needText("bucket", `"acme-audit"`)
	sink.Bucket = bucket
	prefix, _ := s.text("prefix")
	sink.Prefix = strings.Trim(prefix, "/")
	sink.Region, _ = s.text("region")
	before := len(s.diags)
	sink.Endpoint = s.endpoint()
	if ok {
		s.checkBucket(bucket, sink.Endpoint == "" && len(s.diags) == before)
	}
	sink.PathStyle = s.pathStyle(sink.Bucket, sink.Endpoint)
	s.readEncryption(sink)
	s.readRetention(sink)
	for _, name := range []string{"access_key", "access_key_id", "secret_key", "secret_access_key"} {
		if attribute, given := block.Body.Attributes[name]; given {
			s.told = append(s.told, name)
			s.fault(attribute.NameRange, "Credentials of S3 don't belong here", "They come from the AWS SDK's chain: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or the machine's role.")
		}
	}
	s.end()
	s.warnOfPlace("prefix", strings.TrimRight("s3://"+sink.Bucket+"/"+sink.Prefix, "/"))
	return sink
}

// endpoint reads where a server that speaks as S3 does is reached.
func (s *section) endpoint() string {
	endpoint, _ := s.text("endpoint")
	if endpoint != "" {
		if invisible := spelling.Invisible(endpoint); invisible != "" {
			s.fault(s.where("endpoint"), s.origin("endpoint")+" "+invisible, "Take it out.")
		} else if u, err := url.Parse(endpoint); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			s.fault(s.where("endpoint"), "endpoint is no address", `Give it as "https://HOST:PORT", or leave it out for AWS.`)
		} else if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			s.fault(s.where("endpoint"), "endpoint holds more than an address", "Leave out user, password and query; credentials come from the AWS SDK's chain.")
		}
	}
	return endpoint
}

// A bucket's name that can stand in the name of a host: one label of it, since a certificate for all names
// below a host covers no deeper ones, and several over http. The AWS SDK leaves a name with a shorter label in
// the path, and says nothing.
var hostLabel, hostLabels = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$`), regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,61}[a-z0-9](\.[a-z0-9][a-z0-9-]{1,61}[a-z0-9])*$`)

// pathStyle reads how the bucket is addressed; nil where it is not said. Without path style its name must be
// able to stand in the host's.
func (s *section) pathStyle(bucket, endpoint string) *bool {
	v, given := s.value("path_style", cty.Bool)
	if !given {
		return nil
	}
	style := v.True()
	u, err := url.Parse(endpoint)
	fits := hostLabel
	if err == nil && u.Scheme == "http" {
		fits = hostLabels
	}
	switch {
	case style || err != nil:
	case net.ParseIP(u.Hostname()) != nil:
		s.fault(s.where("path_style"), "The endpoint is an IP address, before which no bucket's name can stand", "Name the endpoint's host, or leave path_style out.")
	case !fits.MatchString(bucket) && bucket != "":
		s.fault(s.where("path_style"), fmt.Sprintf("The bucket's name %q can't stand in the name of a host", bucket), "Leave path_style out, or use a bucket whose name has lower-case letters, digits and hyphens alone, three at least.")
	}
	return &style
}

func (s *section) readEncryption(sink *job.S3) {
	var given bool
	if sink.Encryption, given = s.text("encryption"); given && sink.Encryption != "AES256" && sink.Encryption != "aws:kms" {
		s.fault(s.where("encryption"), fmt.Sprintf("There is no encryption %q", sink.Encryption), didYouMean(sink.Encryption, "ways", []string{"AES256", "aws:kms"}))
	}
	if sink.KMSKeyID, given = s.text("kms_key_id"); given && sink.Encryption != "aws:kms" {
		s.fault(s.where("kms_key_id"), "kms_key_id needs another encryption", `Add: encryption = "aws:kms"`)
	}
}

// mostDays is the longest retention that S3 takes: a hundred years.
const mostDays = 36500

func (s *section) readRetention(sink *job.S3) {
	for i, block := range s.blocks("retention") {
		if i > 0 {
			s.fault(block.DefRange(), "There is a second retention", "Keep one of them.")
			continue
		}
		r := s.loader.section(block)
		mode, ok := r.needText("mode", `"COMPLIANCE"`)
		if ok && mode != "COMPLIANCE" && mode != "GOVERNANCE" {
			r.fault(r.where("mode"), fmt.Sprintf("There is no retention mode %q", mode), didYouMean(mode, "modes", []string{"COMPLIANCE", "GOVERNANCE"}))
		}
		before := len(r.diags)
		days, ok := r.number("days")
		if !ok && len(r.diags) == before {
			r.missing("days", "Give it, as in: days = 2555")
		}
		if ok && (days < 1 || days > mostDays || days != math.Trunc(days)) {
			r.fault(r.where("days"), "days is no length of a retention", fmt.Sprintf("Give a whole number from 1 to %d, as in 2555 for seven years.", mostDays))
		}
		sink.Retention = job.Retention{Mode: mode, Days: int(days)}
		r.end()
	}
}

func (l *loader) readSnapshot() {
	for _, address := range l.of("snapshot") {
		s := l.section(l.blocks[address])
		s.readTolerance()
		s.job.Report = s.flag("report")
		s.readChecks()
		s.readColumns()
		s.readSign()
		s.readAcknowledged()
		s.end()
	}
}

// readTolerance reads "0.1%" or a whole number.
func (s *section) readTolerance() {
	s.job.Tolerate, _ = s.limit("tolerate_failed", "keys")
}

// limit reads "0.1%" or a whole number of what is counted. It is not ok where the attribute is not
// given or faulty.
func (s *section) limit(name, counted string) (limit job.Tolerance, ok bool) {
	v, ok := s.value(name, cty.String) // a number is a text of digits
	if !ok {
		return limit, false
	}
	given := strings.TrimSpace(v.AsString())
	if percent, is := strings.CutSuffix(given, "%"); is {
		share, err := strconv.ParseFloat(strings.TrimSpace(percent), 64)
		if err == nil && share >= 0 && share <= 100 {
			return job.Tolerance{Share: share / 100}, true
		}
	} else if n, err := strconv.ParseInt(given, 10, 64); err == nil && n >= 0 {
		return job.Tolerance{Count: n}, true
	}
	s.fault(s.where(name), fmt.Sprintf("%s is neither a share nor a number of %s", name, counted),
		fmt.Sprintf(`Give a share from "0%%" to "100%%", as in "0.1%%", or a whole number of %s, as in 10.`, counted))
	return limit, false
}
