package s3

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/http"
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
	hintClock  = "set this machine's clock: signatures are only valid for some minutes"
	hintFull   = "make room in the bucket or raise its quota; then run the same command again: nothing that was fetched is lost"
	hintDown   = "the bucket does not answer: run the same command again, nothing that was fetched is lost"
)

// judge finds the verdict by S3's "Error responses" page.
func judge(code string, status int) verdict {
	switch code {
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "InvalidSecurity", "AuthorizationHeaderMalformed", "XAdminUserNotFound":
		return verdict{fault.Credentials, hintKeys}
	case "ExpiredToken", "TokenRefreshRequired", "RequestExpired":
		return verdict{fault.Credentials, hintExpire}
	case "RequestTimeTooSkewed":
		return verdict{fault.Credentials, hintClock}
	case "NoSuchBucket":
		return verdict{fault.Configuration, hintBucket}
	case "PermanentRedirect", "TemporaryRedirect", "IllegalLocationConstraintException", "MovedPermanently":
		return verdict{fault.Configuration, hintRegion}
	case "QuotaExceeded", "XMinioAdminBucketQuotaExceeded", "XMinioStorageFull", "InsufficientStorage":
		return verdict{fault.Transient, hintFull}
	case "InvalidPart", "InvalidPartOrder":
		return verdict{fault.Transient, hintLies}
	case "NotImplemented":
		return verdict{fault.Configuration, "this server can't do what sealing needs: multipart uploads and conditional writes"}
	}
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return verdict{fault.Credentials, hintPolicy}
	case status == http.StatusMovedPermanently || status == http.StatusTemporaryRedirect:
		return verdict{fault.Configuration, hintRegion}
	case status >= 500 || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout || code == conflict:
		return verdict{fault.Transient, hintDown}
	case strings.HasPrefix(code, "KMS.") || strings.HasPrefix(code, "InvalidBucket"):
		return verdict{fault.Configuration, "correct the sink block"}
	}
	return verdict{fault.Bug, ""}
}

// classify gives an SDK error its kind. An object that is not there stays visible to
// errors.Is(err, fs.ErrNotExist), a context's end to errors.Is as well.
func classify(err error, place string) error {
	if err == nil {
		return nil
	}
	if held, lost := errors.AsType[*sinks.HeldError](err); lost {
		return held
	}
	if _, done := errors.AsType[*fault.Error](err); done || errors.Is(err, context.Canceled) {
		return err
	}
	f := &fault.Error{Kind: fault.Bug, Message: place, Err: err}
	var network net.Error
	status := statusOf(err)
	code := codeOf(err)
	switch {
	case code == noSuchKey || code == "NotFound" || status == http.StatusNotFound && code != "NoSuchBucket" && code != noSuchUpload && code != "XAdminUserNotFound":
		f.Err = fs.ErrNotExist
	case code == invalidState:
		f.Kind, f.Hint, f.Code, f.Err = fault.Configuration, sinks.HintArchived, code, sinks.ErrArchived
	case code != "" || status != 0:
		v := judge(code, status)
		f.Kind, f.Hint, f.Code = v.kind, v.hint, code
	case lacksCredentials(err):
		f.Kind, f.Hint = fault.Credentials, "no credentials were found. "+hintKeys
	case errors.As(err, &network), errors.Is(err, context.DeadlineExceeded), isBroken(err):
		f.Kind, f.Hint = fault.Transient, hintDown
	}
	return f
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
