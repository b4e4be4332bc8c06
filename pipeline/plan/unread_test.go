package plan_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rollcall/pipeline/job"
	"rollcall/pipeline/plan"
	"rollcall/schema/fault"
	"rollcall/sinks"
)

// shut is a sink that can be asked, and answers as ask says.
type shut struct {
	sinks.Sink
	ask func(ctx context.Context) error
}

func (s shut) String() string { return "s3://shut/im" }

func (s shut) Open(ctx context.Context, _ string) (io.ReadCloser, error) { return nil, s.ask(ctx) }

func (s shut) List(ctx context.Context, _ string) iter.Seq2[sinks.Object, error] {
	return func(yield func(sinks.Object, error) bool) { yield(sinks.Object{}, s.ask(ctx)) }
}

func refused(context.Context) error {
	return &fault.Error{Kind: fault.Credentials, Message: "access is denied", Hint: "ask for access", Err: errors.New("403")}
}

func TestASinkThatCanNotBeReadCostsItsFiguresAlone(t *testing.T) {
	t.Parallel()
	silent := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	for name, test := range map[string]struct {
		ask    func(context.Context) error
		closed error
		said   string
	}{
		"refused":             {ask: refused, said: "access is denied"},
		"silent":              {ask: silent, said: "no answer within 10 s"},
		"could not be opened": {closed: refused(t.Context()), said: "access is denied"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				n := newNight(t, nasty(7), 1e6).block("tencentchat_joined_groups", users("tx_users"))
				start := time.Now()
				n.sink = shut{ask: test.ask}
				n.closed = test.closed
				p, err := n.make(tonight)
				if err != nil {
					t.Fatal(err)
				}
				if took := time.Since(start); took > 11*time.Second {
					t.Errorf("it took %v", took)
				}
				if len(p.Unread) != 1 || !strings.Contains(p.Unread[0].Reason, test.said) || p.Unread[0].Hint == "" || !strings.Contains(strings.Join(p.Notes, "\n"), test.said) {
					t.Errorf("unread is %+v, notes are %q", p.Unread, p.Notes)
				}
				if strings.Contains(strings.Join(p.Notes, "\n"), "no snapshot is sealed yet") {
					t.Error("it claims that no snapshot is sealed")
				}
				if p.Requests.Least == 0 || p.Base != "" {
					t.Errorf("the plan is %+v", p)
				}
			})
		})
	}
}

func TestAListThatCanNotBeReadEndsThePlanOfTheRest(t *testing.T) {
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_CONFIG_FILE", "/nowhere")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
	t.Setenv("AWS_REGION", "eu-central-1")
	n := newNight(t, nasty(7), 1e6).block("tencentchat_joined_groups", users("tx_users")).
		block("rongcloud_user_groups", users("far"))
	n.job.Lists = append(n.job.Lists, job.List{Name: "far", Path: "s3://lists/users.txt"})
	p, err := n.make(tonight)
	if fault.KindOf(err) != fault.Credentials || !strings.Contains(err.Error(), "ids.far") {
		t.Errorf("got %v (%v)", err, fault.KindOf(err))
	}
	if len(p.Unread) != 1 || p.Unread[0].What != "ids.far" {
		t.Errorf("unread is %+v", p.Unread)
	}
	for _, b := range p.Blocks {
		if far := strings.HasPrefix(b.Address, "rongcloud"); far && (b.Keys.Most != nil || b.Basis != plan.AtLeast) || !far && (b.Keys.Least == 0 || b.Keys.Most == nil) {
			t.Errorf("%s is planned as %+v", b.Address, b)
		}
	}
}
