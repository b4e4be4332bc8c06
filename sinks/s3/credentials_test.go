package s3_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"rollcall/schema/fault"
	"rollcall/sinks/s3"
	"rollcall/sinks/sinktest"
)

// provider stands in for a source of credentials.
type provider struct {
	source aws.CredentialSource
	give   func(ctx context.Context, asked int) (aws.Credentials, error)
	mu     sync.Mutex
	asked  int
}

func (p *provider) ProviderSources() []aws.CredentialSource { return []aws.CredentialSource{p.source} }

func (p *provider) Retrieve(ctx context.Context) (aws.Credentials, error) {
	p.mu.Lock()
	p.asked++
	asked := p.asked
	p.mu.Unlock()
	return p.give(ctx, asked)
}

func (p *provider) times() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

var errRefused = &aws.RequestCanceledError{Err: errors.New("dial tcp 127.0.0.1:9: connection refused")}

// waitFor gives credentials after a while, or none where that is not waited for.
func waitFor(d time.Duration) func(context.Context, int) (aws.Credentials, error) {
	return func(ctx context.Context, _ int) (aws.Credentials, error) {
		select {
		case <-time.After(d):
			return aws.Credentials{AccessKeyID: "key", SecretAccessKey: "secret"}, nil
		case <-ctx.Done():
			return aws.Credentials{}, ctx.Err()
		}
	}
}

func TestCredentialsThatAreNotThereAreAskedForOnce(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		source aws.CredentialSource
		give   func(context.Context, int) (aws.Credentials, error)
		within time.Duration
		said   string
	}{
		"a metadata service that refuses":        {aws.CredentialSourceIMDS, nil, time.Second, "instance metadata service gave none"},
		"a metadata service that never answers":  {aws.CredentialSourceIMDS, waitFor(time.Hour), 10 * time.Second, "instance metadata service gave none"},
		"a container service that never answers": {aws.CredentialSourceHTTP, waitFor(time.Hour), 10 * time.Second, "container's credentials service"},
		"a program that fails":                   {aws.CredentialSourceProcess, nil, time.Second, "credential_process of profile"},
		"a program that hangs":                   {aws.CredentialSourceProcess, waitFor(time.Hour), 61 * time.Second, "credential_process of profile"},
		"an SSO session that has expired":        {aws.CredentialSourceSSO, nil, time.Second, "SSO session of profile"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				if test.give == nil {
					test.give = func(context.Context, int) (aws.Credentials, error) { return aws.Credentials{}, errRefused }
				}
				from := &provider{source: test.source, give: test.give}
				start := time.Now()
				err := manifestsOf(t, s3.Config{HTTP: &sinktest.Bucket{Name: "audit"}}, from)
				if took := time.Since(start); took > test.within {
					t.Errorf("it took %v", took)
				}
				if fault.KindOf(err) != fault.Credentials || fault.HintOf(err) == "" || !strings.HasPrefix(err.Error(), "there are no AWS credentials for bucket audit: ") || !strings.Contains(err.Error(), test.said) {
					t.Errorf("got %v (%v), hint %q", err, fault.KindOf(err), fault.HintOf(err))
				}
				time.Sleep(time.Hour) // the SDK leaves going on what it no longer waits for
				if asked := from.times(); asked != 1 {
					t.Errorf("they were asked for %d times", asked)
				}
			})
		})
	}
}

func manifestsOf(t *testing.T, cfg s3.Config, from aws.CredentialsProvider) error {
	t.Helper()
	cfg = filled(cfg)
	cfg.Credentials = from
	sink, err := s3.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	_, err = sink.Manifests(t.Context())
	return err
}

func TestWhoWaitsForCredentialsIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		type word struct {
			text string
			at   time.Time
		}
		said := make(chan word, 9)
		start := time.Now()
		cfg := s3.Config{HTTP: &sinktest.Bucket{Name: "audit"}, Waiting: func(text string) { said <- word{text, time.Now()} }}
		if err := manifestsOf(t, cfg, &provider{source: aws.CredentialSourceProcess, give: waitFor(30 * time.Second)}); err != nil {
			t.Error(err)
		}
		first := <-said
		if took := first.at.Sub(start); took > 5*time.Second || !strings.Contains(first.text, "credential_process") || !strings.Contains(first.text, "bucket audit") {
			t.Errorf("after %v it was said: %q", took, first.text)
		}
		if len(said) > 0 {
			t.Error("it was said again")
		}
	})
}

func TestCancellingEndsTheWaitForCredentials(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := filled(s3.Config{HTTP: &sinktest.Bucket{Name: "audit"}})
		cfg.Credentials = &provider{source: aws.CredentialSourceProcess, give: waitFor(30 * time.Second)}
		sink, err := s3.Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, stop)
		start := time.Now()
		if _, err = sink.Manifests(ctx); !errors.Is(err, context.Canceled) || time.Since(start) > 2*time.Second {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
		time.Sleep(time.Minute) // the SDK leaves the program running
	})
}

func TestCredentialsThatCanNotBeRenewedForAWhileCostNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		broken := &momentary{}
		from := &provider{source: aws.CredentialSourceSSO, give: func(_ context.Context, asked int) (aws.Credentials, error) {
			if asked == 2 {
				return aws.Credentials{}, broken
			}
			return aws.Credentials{AccessKeyID: "key", SecretAccessKey: "secret", CanExpire: true, Expires: time.Now().Add(time.Minute)}, nil
		}}
		cfg := filled(s3.Config{HTTP: &sinktest.Bucket{Name: "audit"}})
		cfg.Credentials = from
		sink, err := s3.Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := sink.Manifests(t.Context()); err != nil {
				t.Error(err)
			}
			time.Sleep(2 * time.Minute)
		}
		if asked := from.times(); asked != 3 {
			t.Errorf("they were asked for %d times", asked)
		}
	})
}

// momentary is a fault that the SDK takes for one that passes.
type momentary struct{}

func (*momentary) Error() string        { return "throttled" }
func (*momentary) RetryableError() bool { return true }
