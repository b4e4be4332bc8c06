package s3

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"

	"rollcall/schema/fault"
	"rollcall/schema/spelling"
)

// How long credentials are waited for.
const (
	slowCredentials = 3 * time.Second // then it is said once
	nearCredentials = 8 * time.Second // of a service on this machine or beside it: metadata of an instance or a container
	farCredentials  = time.Minute     // of all others: a program may ask a person, STS or SSO may be far away
)

// chain is the SDK's chain of credentials with a limit of time and with a sentence for its errors. Before
// it has given credentials once, an error is final: nobody has set them up, and asking again changes nothing.
// After that it may pass by itself, and the SDK tries again what it takes for transient.
type chain struct {
	aws.CredentialsProvider
	of      string // what they are needed for, for messages
	profile string
	sources []aws.CredentialSource
	waiting func(text string)

	mu    sync.Mutex
	given bool // it has given credentials before
	told  bool
}

func newChain(loaded aws.Config, cfg Config) *chain {
	c := &chain{CredentialsProvider: loaded.Credentials, of: place(cfg), profile: "default", waiting: cfg.Waiting}
	if named, ok := loaded.Credentials.(aws.CredentialProviderSource); ok {
		c.sources = named.ProviderSources()
	}
	for _, source := range loaded.ConfigSources {
		switch source := source.(type) {
		case config.EnvConfig:
			c.profile = cmp.Or(source.SharedConfigProfile, c.profile)
		case config.SharedConfig:
			c.profile = cmp.Or(source.Profile, c.profile)
		}
	}
	return c
}

// Retrieve asks the chain.
func (c *chain) Retrieve(ctx context.Context) (aws.Credentials, error) {
	limit := farCredentials
	if c.near() {
		limit = nearCredentials
	}
	bounded, stop := context.WithTimeout(ctx, limit)
	defer stop()
	slow := time.AfterFunc(slowCredentials, func() { c.tell(limit) })
	defer slow.Stop()
	found, err := c.CredentialsProvider.Retrieve(bounded)
	if err != nil {
		err = cause{err}
	} else if flaw := flawOf(found); flaw != "" {
		return found, notSent{&fault.Error{Kind: fault.Credentials, Message: "the AWS credentials for " + c.of + " can't be used: " + flaw, Hint: "correct them where they come from: " + c.origin()}}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err == nil:
		c.given = true
		return found, nil
	case ctx.Err() != nil:
		return found, err
	case c.given:
		return found, &fault.Error{Kind: fault.Credentials, Message: "the AWS credentials for " + c.of + " can't be renewed: " + c.tried(), Hint: c.hint(), Err: err}
	}
	if bounded.Err() != nil {
		err = fmt.Errorf("no answer within %v: %w", limit, err)
	}
	return found, notSent{&fault.Error{Kind: fault.Credentials, Message: "there are no AWS credentials for " + c.of + ": " + c.tried(), Hint: c.hint(), Err: err}}
}

// flawOf tells why nothing can be signed with credentials: the key's ID and the token stand in headers, which hold
// no line break, and a request that can't be built would be tried again and again.
func flawOf(found aws.Credentials) string {
	for _, part := range []struct{ name, text string }{
		{"the access key ID (AWS_ACCESS_KEY_ID)", found.AccessKeyID}, {"the secret access key (AWS_SECRET_ACCESS_KEY)", found.SecretAccessKey}, {"the session token (AWS_SESSION_TOKEN)", found.SessionToken},
	} {
		if flaw := spelling.Unprintable(part.text); flaw != "" {
			return part.name + " " + flaw
		}
	}
	if !found.HasKeys() {
		return "they have no access key"
	}
	return ""
}

// tell says once that credentials are awaited.
func (c *chain) tell(limit time.Duration) {
	c.mu.Lock()
	told := c.told
	c.told = true
	c.mu.Unlock()
	if c.waiting != nil && !told {
		c.waiting(fmt.Sprintf("waiting for AWS credentials for %s from %s, for %v at most", c.of, c.origin(), limit))
	}
}

func (c *chain) has(any ...aws.CredentialSource) bool {
	return slices.ContainsFunc(c.sources, func(s aws.CredentialSource) bool { return slices.Contains(any, s) })
}

func (c *chain) near() bool { return c.has(aws.CredentialSourceIMDS, aws.CredentialSourceHTTP) }

// origin names whom the chain asks.
func (c *chain) origin() string {
	switch profile := "profile " + c.profile; {
	case c.has(aws.CredentialSourceProcess):
		return "the credential_process of " + profile
	case c.has(aws.CredentialSourceSSO, aws.CredentialSourceSSOLegacy):
		return "the SSO session of " + profile
	case c.has(aws.CredentialSourceLogin):
		return "the login session of " + profile
	case c.has(aws.CredentialSourceEnvVarsSTSWebIDToken):
		return "STS, for the web identity of AWS_WEB_IDENTITY_TOKEN_FILE"
	case c.has(aws.CredentialSourceProfileSTSWebIDToken):
		return "STS, for the web identity of " + profile
	case c.has(aws.CredentialSourceHTTP):
		return "the container's credentials service (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or AWS_CONTAINER_CREDENTIALS_FULL_URI)"
	case c.has(aws.CredentialSourceIMDS):
		return "the instance metadata service"
	case c.has(aws.CredentialSourceSTSAssumeRole):
		return "STS, for the role of " + profile
	}
	if c.has(aws.CredentialSourceEnvVars) {
		return "the environment"
	}
	return "profile " + c.profile
}

// tried says where no credentials were found. Only who is asked last is asked at all: the chain
// decides by what is configured, and comes to the instance metadata service where nothing is.
func (c *chain) tried() string {
	if !c.has(aws.CredentialSourceIMDS) || c.has(aws.CredentialSourceProfileNamedProvider) {
		return c.origin() + " gave none"
	}
	return "the environment has none (AWS_ACCESS_KEY_ID), nor a web identity (AWS_WEB_IDENTITY_TOKEN_FILE), nor a container's (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI); " +
		"profile " + c.profile + " in ~/.aws/config and ~/.aws/credentials has none; and the instance metadata service gave none"
}

func (c *chain) hint() string {
	switch {
	case c.has(aws.CredentialSourceSSO, aws.CredentialSourceSSOLegacy):
		return "sign in with `aws sso login --profile " + c.profile + "`, then run the same command again"
	case c.has(aws.CredentialSourceLogin):
		return "sign in with `aws login --profile " + c.profile + "`, then run the same command again"
	case c.has(aws.CredentialSourceProcess):
		return "run that program by hand and see what it says; it is credential_process in ~/.aws/config"
	}
	return "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile in AWS_PROFILE, or give this machine a role"
}
