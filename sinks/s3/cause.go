package s3

import (
	"errors"
	"io/fs"
	"regexp"
	"strings"

	"github.com/aws/smithy-go"
)

// cause is why the SDK's chain gave no credentials, without what it was given instead: the SDK quotes all that a
// credential_process printed and what a metadata service answered, which may well be secrets.
type cause struct{ err error }

// Unwrap gives the SDK's error, whose text is not to be shown.
func (c cause) Unwrap() error { return c.err }

var (
	printed = regexp.MustCompile(`(?s)parse failed of process output: .*, error: .*`)
	longRun = regexp.MustCompile(`[A-Za-z0-9+/=_-]{21,}`)
)

// Error is the SDK's text without the output of programs, and without what looks like a key or a token: runs of
// more than 20 letters of base64, in both cases and with digits. What STS says, and the path of a file, is
// left as it is.
func (c cause) Error() string {
	text := printed.ReplaceAllString(c.err.Error(), "what it printed can't be read as the JSON that AWS describes")
	if said, ok := errors.AsType[*smithy.OperationError](c.err); ok && said.Service() == "STS" {
		return text
	}
	path := ""
	if file, ok := errors.AsType[*fs.PathError](c.err); ok {
		path = file.Path
	}
	return longRun.ReplaceAllStringFunc(text, func(run string) string {
		if path != "" && strings.Contains(path, run) || !mixed(run) {
			return run
		}
		return "(hidden)"
	})
}

func mixed(run string) bool {
	return strings.ContainsAny(run, "0123456789") && run != strings.ToLower(run) && run != strings.ToUpper(run)
}
