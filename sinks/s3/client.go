package s3

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"rollcall/schema/fault"
)

// newClient makes the SDK's client. LoadDefaultConfig is given a buildable HTTP client since it
// fails with any other where AWS_CA_BUNDLE is set, and a logger that says nothing: the SDK's own
// writes to standard error.
func newClient(ctx context.Context, cfg Config) (*s3.Client, error) {
	transport := awshttp.NewBuildableClient().WithTransportOptions(dialLocalhost)
	options := []func(*config.LoadOptions) error{config.WithHTTPClient(transport), config.WithLogger(logging.Nop{})}
	if cfg.Region != "" {
		options = append(options, config.WithRegion(cfg.Region))
	}
	if cfg.Credentials != nil {
		options = append(options, config.WithCredentialsProvider(cfg.Credentials))
	}
	loaded, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, unusable(err)
	}
	if loaded.Region == "" {
		if cfg.Endpoint == "" {
			return nil, &fault.Error{Kind: fault.Configuration, Message: "the region of " + place(cfg) + " is not known",
				Hint: "set region in the sink block, or AWS_REGION"}
		}
		loaded.Region = "us-east-1"
	}
	loaded.Credentials = newChain(loaded, cfg)
	return s3.NewFromConfig(loaded, func(o *s3.Options) {
		if cfg.Endpoint != "" {
			o.BaseEndpoint = aws.String(cfg.Endpoint)
		}
		if cfg.HTTP != nil {
			o.HTTPClient = cfg.HTTP
		}
		o.UsePathStyle = o.BaseEndpoint != nil || strings.Contains(cfg.Bucket, ".")
		if cfg.PathStyle != nil {
			o.UsePathStyle = *cfg.PathStyle
		}
		o.Retryer = newRetryer(cfg)
		o.APIOptions = append(o.APIOptions, keepRegion)
	}, fenced(cfg.Now)), nil
}

// unusable says that the SDK can't read its own configuration.
func unusable(err error) error {
	f := &fault.Error{Kind: fault.Configuration, Message: "the AWS configuration of this machine can't be used", Err: err,
		Hint: "look at the AWS_ environment variables and ~/.aws/config"}
	if missing, ok := errors.AsType[config.SharedConfigProfileNotExistError](err); ok {
		f.Message = "there is no AWS profile " + missing.Profile + " in " + cmp.Or(strings.Join(missing.Filename, " or "), "~/.aws/config or ~/.aws/credentials")
		f.Hint = "correct AWS_PROFILE, or add the profile to ~/.aws/config"
	}
	return f
}

// newRetryer has no quota of retries: a long night may need many, and each request is bounded.
func newRetryer(cfg Config) aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = usualAttempts
		if cfg.Attempts > 0 {
			o.MaxAttempts = cfg.Attempts
		}
		o.MaxBackoff = maxBackoff
		o.RateLimiter = ratelimit.None
	})
}

// dialLocalhost lets every name below localhost lead to this machine (RFC 6761), as the virtual-hosted
// buckets of a local store need it. Go's resolver asks DNS for them.
func dialLocalhost(t *http.Transport) {
	dial := t.DialContext
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if host, port, err := net.SplitHostPort(address); err == nil && strings.HasSuffix(host, ".localhost") {
			address = net.JoinHostPort("localhost", port)
		}
		return dial(ctx, network, address)
	}
}

// regionHeader is where S3 names the region that a bucket lies in.
const regionHeader = "X-Amz-Bucket-Region"

// errorRegion finds the region in the body of an error answer.
var errorRegion = regexp.MustCompile(`<Region>([a-z0-9-]+)</Region>`)

// keepRegion copies the region that the body of an error answer names, of which the SDK reads code and
// message alone, to the header in which others name it.
func keepRegion(stack *middleware.Stack) error {
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("rollcall.Region", func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleDeserialize(ctx, in)
		answer, ok := out.RawResponse.(*smithyhttp.Response)
		if !ok || answer.StatusCode < http.StatusMovedPermanently || answer.Body == nil {
			return out, metadata, err
		}
		begin, _ := io.ReadAll(io.LimitReader(answer.Body, 64<<10)) // a fault that is still there comes again
		if named := errorRegion.FindSubmatch(begin); named != nil && answer.Header.Get(regionHeader) == "" {
			answer.Header.Set(regionHeader, string(named[1]))
		}
		answer.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(begin), answer.Body), answer.Body}
		return out, metadata, err
	}), middleware.After)
}
