package pipeline_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"rollcall/pipeline"
	"rollcall/pipeline/event"
	"rollcall/pipeline/verify"
	"rollcall/schema/fault"
	"rollcall/sinks/local"
	"rollcall/sources/simulated"
)

// TestColumnsMayChangeBeforeANightGoesOn: what was fetched doesn't depend on what is written of it.
func TestColumnsMayChangeBeforeANightGoesOn(t *testing.T) {
	t.Parallel()
	world := simulated.New(unlimited(simulated.Options{Seed: 8, Users: 30, Groups: 10, Nasty: true}))
	n := newNight(t, world).everything()
	quoting(n, world.RongCloud.UserIDs())
	if _, err := n.run(nil); err == nil {
		t.Fatal("the vendor refuses nobody")
	}
	n.job.Columns, n.job.Tolerate.Share = veiled(hmacKey), 1
	started := event.Started{}
	result, err := n.run(func(r *pipeline.Request) {
		r.Listen = func(e event.Event) {
			if s, ok := e.(event.Started); ok {
				started = s
			}
		}
	})
	if err != nil || !started.Resumed || started.Found == 0 || len(result.Manifest.Columns) != 5 {
		t.Fatalf("resumed %v, %d found: %v", started.Resumed, started.Found, err)
	}
	for _, m := range n.read(result).memberships {
		if id := strings.TrimPrefix(m.GroupID, "@TGS#_"); len(id) != 32 || len(m.UserID) != 32 {
			t.Fatalf("no pseudonyms: %+v", m)
		}
	}
	sink, err := local.Open(local.Config{Path: n.out})
	if err != nil {
		t.Fatal(err)
	}
	report, err := verify.Run(t.Context(), sink, verify.Options{All: true, Scratch: t.TempDir()})
	if err != nil || len(report.Findings) > 0 {
		t.Errorf("it is not as it should be: %+v %v", report.Findings, err)
	}
}

func TestAStopNamesNobody(t *testing.T) {
	t.Parallel()
	world := simulated.New(unlimited(simulated.Options{Seed: 8, Users: 30, Groups: 10}))
	n := newNight(t, world).everything()
	n.job.Columns = veiled(hmacKey)
	ids := append(world.RongCloud.UserIDs(), world.RongCloud.GroupIDs()...)
	world.Fault(simulated.Fault{Path: "/entrust/group/member/query.json", Do: simulated.Code(1004, "bad signature of "+strings.Join(ids, " "))})
	_, err := n.run(nil)
	if fault.KindOf(err) != fault.Credentials || fault.HintOf(err) == "" || !strings.Contains(err.Error(), "code 1004") {
		t.Fatalf("%v", err)
	}
	if _, wrapped := errors.AsType[*fault.Error](err); !wrapped {
		t.Error("the cause is lost")
	}
	said := fmt.Sprintf("%v %s %+v", err, fault.HintOf(err), n.progress())
	for _, id := range ids {
		if strings.Contains(said, id) {
			t.Fatalf("%s is told: %s", id, said)
		}
	}
}
