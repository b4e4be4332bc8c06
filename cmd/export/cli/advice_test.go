package cli

import (
	"strings"
	"testing"

	"rollcall/schema/advice"
)

// typed is an app that was given a command line.
func typed(t *testing.T, args ...string) *app {
	t.Helper()
	a := &app{env: Env{Program: "rollcall"}}
	command, rest, err := a.root().Find(args)
	if err != nil {
		t.Fatal(err)
	}
	if err := command.ParseFlags(rest); err != nil {
		t.Fatal(err)
	}
	a.command = command
	return a
}

func TestAdviceKeepsEveryFlagThatWasGivenAndMeansSomething(t *testing.T) {
	t.Parallel()
	goOn := advice.Rollcall("run").With("date", "2026-11-21")
	for _, c := range []struct {
		typed   string
		command advice.Command
		want    string
	}{
		{"run", goOn, "rollcall run --date 2026-11-21"},
		{"run --config etc/im.hcl --state kept", goOn, "rollcall run --date 2026-11-21 --config etc/im.hcl --state kept"},
		{"run --date 2026-11-20 --progress none --json", goOn, "rollcall run --date 2026-11-21 --json --progress none"},
		{"run --metrics 127.0.0.1:0 --replace --accept few", goOn.With("replace", "").With("accept", "many"), "rollcall run --date 2026-11-21 --replace --accept many --accept few --metrics 127.0.0.1:0"},
		{"run --accept few --accept many", goOn.With("accept", "few"), "rollcall run --date 2026-11-21 --accept few --accept many"},
		{"run --discard", goOn, "rollcall run --date 2026-11-21"},
		{"run --discard", goOn.With("discard", ""), "rollcall run --date 2026-11-21 --discard"},
		{"run --state kept --config im.hcl", advice.Rollcall("verify", "2026-11-21"), "rollcall verify 2026-11-21 --config im.hcl"},
		{"run --state kept --date 2026-11-21", advice.Rollcall("status"), "rollcall status --date 2026-11-21 --state kept"},
		{"run --date 2026-11-22", advice.Rollcall("verify", "2026-11-21"), "rollcall verify 2026-11-21"},
		{"verify --all --public-key a.pub --public-key b.pub", advice.Rollcall("verify").With("head", "ab"), "rollcall verify --head ab --all --public-key a.pub --public-key b.pub"},
		{"plan --state kept", goOn, "rollcall run --date 2026-11-21 --state kept"},
		{"run --state= --metrics= --json", goOn.With("accept", "few"), "rollcall run --date 2026-11-21 --accept few --json --metrics= --state="},
		{"validate --config im.hcl", advice.Rollcall("keygen"), "rollcall keygen"},
		{"demo --out there", goOn, "rollcall demo --date 2026-11-21 --out there"},
		{"demo --oddities=false", goOn, "rollcall demo --date 2026-11-21 --oddities=false"},
	} {
		if got := typed(t, strings.Fields(c.typed)...).line(c.command); got != c.want {
			t.Errorf("%s: %s\nwant %s", c.typed, got, c.want)
		}
	}
	spaced := &app{env: Env{Program: "./bin/rollcall"}}
	run, _, err := spaced.root().Find([]string{"run"})
	if err != nil || run.ParseFlags([]string{"--state", "it's here"}) != nil {
		t.Fatal(err)
	}
	spaced.command = run
	if got, want := spaced.say(advice.Say("type {}.", goOn)), "type `./bin/rollcall run --date 2026-11-21 --state \"it's here\"`."; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}
