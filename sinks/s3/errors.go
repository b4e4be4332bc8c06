package s3

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"regexp"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"rollcall/schema/fault"
	"rollcall/sinks"
)

// verdict is what an answer of S3 means here, by error code or, where there is none, by status.
type verdict struct {
	kind fault.Kind
	what string // happened, of the place that a message begins with
	hint string
}

const (
	preconditionFailed = "PreconditionFailed"
	conflict           = "ConditionalRequestConflict"
	noSuchKey          = "NoSuchKey"
	noSuchUpload       = "NoSuchUpload"
	invalidState       = "InvalidObjectState" // it was moved to an archive
)

const (
	hintKeys   = "check the keys that the AWS SDK finds: AWS_ACCESS_KEY_ID and its like, AWS_PROFILE, or the role of this machine"
	hintExpire = "the session has expired: sign in again, then run the same command"
	hintPolicy = "the policy must allow s3:GetObject, s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload, s3:ListBucket and s3:ListBucketMultipartUploads, and kms:GenerateDataKey and kms:Decrypt where a KMS key is used"
	hintBucket = "make the bucket, or correct bucket in the sink block"
	hintRegion = "set region in the sink block to the bucket's own"
	hintSigned = "set region in the sink block to the bucket's own; if it is, " + hintKeys
	hintStyle  = "set path_style = false in the sink block: this store takes the bucket's name in the host's name alone"
	hintClock  = "set this machine's clock: signatures are only valid for some minutes"
	hintFull   = "make room in the bucket or raise its quota; then run the same command again: nothing that was fetched is lost"
	hintDown   = "the bucket does not answer: run the same command again, nothing that was fetched is lost"
	hintAble   = "this server can't do what sealing needs: multipart uploads and conditional writes (If-None-Match and If-Match of a PUT)"
)

// judge finds the verdict by S3's "Error responses" page.
func judge(code string, status int) verdict {
	switch code {
	case "AuthorizationHeaderMalformed":
		return verdict{fault.Credentials, "the signature can't be read", hintSigned}
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "InvalidSecurity", "XAdminUserNotFound":
		return verdict{fault.Credentials, "the keys are refused", hintKeys}
	case "ExpiredToken", "TokenRefreshRequired", "RequestExpired":
		return verdict{fault.Credentials, "the session has expired", hintExpire}
	case "RequestTimeTooSkewed":
		return verdict{fault.Credentials, "this machine's clock differs from the store's", hintClock}
	case "SecondLevelDomainForbidden", "PathStyleDomainForbidden":
		return verdict{fault.Configuration, "the store refuses path-style requests", hintStyle}
	case "NoSuchBucket":
		return verdict{fault.Configuration, "there is no such bucket", hintBucket}
	case "PermanentRedirect", "TemporaryRedirect", "IllegalLocationConstraintException", "MovedPermanently":
		return verdict{fault.Configuration, "the bucket lies in another region", hintRegion}
	case "QuotaExceeded", "XMinioAdminBucketQuotaExceeded", "XMinioStorageFull", "InsufficientStorage":
		return verdict{fault.Transient, "the store has no room left", hintFull}
	case "InvalidPart", "InvalidPartOrder":
		return verdict{fault.Transient, "the store does not know a part that it acknowledged", hintLies}
	case "NotImplemented":
		return verdict{fault.Configuration, "the store does not know such a request", hintAble}
	}
	return judgeStatus(code, status)
}

func judgeStatus(code string, status int) verdict {
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return verdict{fault.Credentials, "access is denied", hintPolicy}
	case status == http.StatusMovedPermanently || status == http.StatusTemporaryRedirect:
		return verdict{fault.Configuration, "the bucket lies in another region", hintRegion}
	case status >= 500 || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout || code == conflict:
		return verdict{fault.Transient, "the store can't carry out the request now", hintDown}
	case status == http.StatusBadRequest && code == "BadRequest": // of a HEAD request, whose answer has no body to say more
		return verdict{fault.Configuration, "the store refuses the request, and does not say why", hintSigned}
	case strings.HasPrefix(code, "KMS."):
		return verdict{fault.Configuration, "the KMS key can't be used", "correct the sink block"}
	case strings.HasPrefix(code, "InvalidBucket"):
		return verdict{fault.Configuration, "the store refuses the bucket's name", "correct the sink block"}
	}
	return verdict{fault.Bug, "the store refuses the request", ""}
}

// classify gives an SDK error its kind, and a sentence that stands before the SDK's own text. An object that
// is not there stays visible to errors.Is(err, fs.ErrNotExist), a context's end to errors.Is as well.
func classify(err error, place string) error {
	if err == nil {
		return nil
	}
	if held, lost := errors.AsType[*sinks.HeldError](err); lost {
		return held
	}
	if raw, ok := errors.AsType[*smithy.OperationError](err); ok {
		if f, ours := errors.AsType[*fault.Error](raw.Err); ours { // it kept the SDK from sending anything
			return unmistakable(f)
		}
	}
	if _, done := errors.AsType[*fault.Error](err); done {
		return err
	}
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("%s: %w", place, context.Canceled)
	}
	f := &fault.Error{Kind: fault.Bug, Message: place + ": the request failed", Err: err}
	var network net.Error
	status := statusOf(err)
	code := codeOf(err)
	switch region, asked := regionsOf(err); {
	case code == noSuchKey || code == "NotFound" || status == http.StatusNotFound && code != "NoSuchBucket" && code != noSuchUpload && code != "XAdminUserNotFound":
		f.Message, f.Err = place, fs.ErrNotExist
	case code == invalidState:
		f.Message, f.Kind, f.Hint, f.Code, f.Err = place, fault.Configuration, sinks.HintArchived, code, sinks.ErrArchived
	case region != "" && region != asked:
		f.Kind, f.Code, f.Err = fault.Configuration, code, &RegionError{Region: region, Err: err}
		f.Message, f.Hint = place+": the bucket lies in region "+region, "set region = \""+region+"\" in the sink block"
		if asked != "" {
			f.Message += ", and " + asked + " was asked"
		}
	case code != "" || status != 0:
		v := judge(code, status)
		f.Kind, f.Message, f.Hint, f.Code = v.kind, place+": "+v.what, v.hint, code
		if v.hint == hintRegion {
			f.Err = &RegionError{Err: err}
		}
	case lacksCredentials(err):
		f.Kind, f.Message, f.Hint = fault.Credentials, place+": no AWS credentials were found", hintKeys
	case errors.As(err, &network), errors.Is(err, context.DeadlineExceeded), isBroken(err):
		f.Kind, f.Message, f.Hint = fault.Transient, place+": no answer", hintDown
	}
	return f
}

// unmistakable keeps a fault of credentials from passing for another: its cause may be a token's file that is not
// there, and says nothing of an object.
func unmistakable(f *fault.Error) *fault.Error {
	if f.Kind != fault.Credentials || f.Err == nil {
		return f
	}
	g := *f
	g.Err = errors.New(f.Err.Error())
	return &g
}

// unlisted is classify for a listing: that nothing is there is said of the whole bucket.
func (s *Sink) unlisted(err error, folder string) error {
	err = classify(err, s.URL(folder))
	if errors.Is(err, fs.ErrNotExist) {
		return &fault.Error{Kind: fault.Configuration, Message: s.URL(folder) + ": what answers there knows no such bucket, or is no store that speaks as S3 does", Hint: "correct bucket or endpoint in the sink block"}
	}
	return err
}

// RegionError is a store's word that a bucket lies in another region than the one that was asked. It
// stands in the chain of a Configuration fault, whose hint is about the sink block.
type RegionError struct {
	Region string // the bucket's; empty: the store does not name it
	Err    error  // the SDK's
}

// Error is the SDK's.
func (e *RegionError) Error() string { return e.Err.Error() }

// Unwrap gives the SDK's error.
func (e *RegionError) Unwrap() error { return e.Err }

// The words with which a message names the bucket's region, of S3 and of servers that follow it.
var (
	expectedRegion = regexp.MustCompile(`expecting '([a-z0-9-]+)'`)
	regionOfBucket = regexp.MustCompile(`The ([a-z0-9-]+) location constraint`)
)

// regionsOf gives the region that a refusal names and the one for which the request was signed, as far
// as they are known. Other answers name none: S3 sends the header with many.
func regionsOf(err error) (named, asked string) {
	answer, ok := errors.AsType[*awshttp.ResponseError](err)
	if !ok || answer.Response == nil || answer.Response.Response == nil {
		return "", ""
	}
	switch answer.HTTPStatusCode() {
	case http.StatusMovedPermanently, http.StatusTemporaryRedirect, http.StatusBadRequest, http.StatusForbidden:
	default:
		return "", ""
	}
	if sent := answer.Response.Request; sent != nil {
		_, scope, _ := strings.Cut(sent.Header.Get("Authorization"), "Credential=")
		if parts := strings.Split(scope, "/"); len(parts) > 3 { // key, day, region, service
			asked = parts[2]
		}
	}
	named = answer.Response.Header.Get(regionHeader)
	for _, words := range []*regexp.Regexp{expectedRegion, regionOfBucket} {
		if found := words.FindStringSubmatch(err.Error()); named == "" && found != nil && found[1] != "unspecified" {
			named = found[1]
		}
	}
	return named, asked
}

// lacksCredentials tells whether the chain found nobody to sign for, before anything was sent. The
// SDK has no type for it, but these words have stood in its errors since its second version began.
func lacksCredentials(err error) bool {
	text := err.Error()
	return strings.Contains(text, "get identity: ") || strings.Contains(text, "failed to refresh cached credentials")
}

// isBroken tells whether a request was sent and no answer came.
func isBroken(err error) bool {
	_, sending := errors.AsType[*smithyhttp.RequestSendError](err)
	return sending
}

func codeOf(err error) string {
	if answer, ok := errors.AsType[smithy.APIError](err); ok {
		return answer.ErrorCode()
	}
	return ""
}

func statusOf(err error) int {
	if answer, ok := errors.AsType[*awshttp.ResponseError](err); ok && answer.Response != nil {
		return answer.HTTPStatusCode()
	}
	return 0
}

// isCode tells whether the bucket answered with that code. HEAD answers carry no body and thus
// no code: there the status stands for it.
func isCode(err error, code string) bool {
	if err == nil {
		return false
	}
	if got := codeOf(err); got == code {
		return true
	}
	switch code {
	case preconditionFailed:
		return statusOf(err) == http.StatusPreconditionFailed
	case conflict:
		return statusOf(err) == http.StatusConflict && codeOf(err) != "BucketAlreadyExists"
	default:
		return false
	}
}
