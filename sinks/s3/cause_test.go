package s3_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/smithy-go"

	"rollcall/schema/fault"
	"rollcall/sinks/s3"
	"rollcall/sinks/sinktest"
)

const secretKey = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

func TestWhatGivesNoCredentialsIsNotQuoted(t *testing.T) {
	t.Parallel()
	garbage := &processcreds.ProviderError{Err: fmt.Errorf("parse failed of process output: %s, error: %w", "{\"SecretAccessKey\": \"hunter2\",\n\"SessionToken\": \""+secretKey, &json.SyntaxError{})}
	for name, c := range map[string]struct {
		source aws.CredentialSource
		err    error
		want   string
	}{
		"a program's output":         {aws.CredentialSourceProcess, garbage, "what it printed can't be read"},
		"a program's exit":           {aws.CredentialSourceProcess, errors.New("error in credential_process: exit status 1"), "exit status 1"},
		"a container's answer":       {aws.CredentialSourceHTTP, errors.New(`failed to load credentials: {"message":"token ` + secretKey + ` is refused"}`), "is refused"},
		"a metadata service's":       {aws.CredentialSourceIMDS, errors.New("failed to decode secret=" + secretKey + " EC2 IMDS role credentials"), "failed to decode"},
		"the path of a file":         {aws.CredentialSourceHTTP, &fs.PathError{Op: "open", Path: "/var/run/Secrets1/eks.amazonaws.com/Token0", Err: fs.ErrNotExist}, "open /var/run/Secrets1/eks.amazonaws.com/Token0"},
		"what STS says about a role": {aws.CredentialSourceSTSAssumeRole, &smithy.OperationError{ServiceID: "STS", Err: errors.New("User: arn:aws:sts::1:assumed-role/Nightly1/session-1 may not")}, "assumed-role/Nightly1/session-1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			give := func(context.Context, int) (aws.Credentials, error) { return aws.Credentials{}, c.err }
			err := manifestsOf(t, s3.Config{HTTP: &sinktest.Bucket{Name: "audit"}}, &provider{source: c.source, give: give})
			if text := err.Error(); strings.Contains(text, "hunter2") || strings.Contains(text, secretKey[:8]) || !strings.Contains(text, c.want) {
				t.Errorf("got %s", text)
			}
		})
	}
}

func TestCredentialsThatSignNothingAreToldAtOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		found aws.Credentials
		want  string
	}{
		"a key with a line break":      {aws.Credentials{AccessKeyID: "AKIA\n", SecretAccessKey: "secret"}, "(AWS_ACCESS_KEY_ID) ends with a line break"},
		"a secret with a no-break one": {aws.Credentials{AccessKeyID: "AKIA", SecretAccessKey: "secret\u00a0"}, "(AWS_SECRET_ACCESS_KEY) ends with a no-break space (U+00A0)"},
		"a token of two lines":         {aws.Credentials{AccessKeyID: "AKIA", SecretAccessKey: "secret", SessionToken: "a\nb"}, "(AWS_SESSION_TOKEN) holds a line break"},
		"no key at all":                {aws.Credentials{}, "they have no access key"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				give := func(context.Context, int) (aws.Credentials, error) { return c.found, nil }
				err := manifestsOf(t, s3.Config{HTTP: &sinktest.Bucket{Name: "audit"}}, &provider{source: aws.CredentialSourceEnvVars, give: give})
				if fault.KindOf(err) != fault.Credentials || !strings.Contains(err.Error(), c.want) || !strings.Contains(fault.HintOf(err), "the environment") || time.Since(start) > time.Second {
					t.Errorf("got %v after %v, hint %q", err, time.Since(start), fault.HintOf(err))
				}
			})
		})
	}
}
