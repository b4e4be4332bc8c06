package cli

import (
	"encoding/json"
	"errors"
	"strings"

	"rollcall/cmd/export/console"
	"rollcall/pipeline"
	"rollcall/pipeline/snapshot"
	"rollcall/schema/advice"
	"rollcall/schema/fault"
	"rollcall/sinks/manifest"
)

// complaint is an error as a script reads it: one line of JSON on stderr.
type complaint struct {
	Error string `json:"error"`
	Hint  string `json:"hint,omitempty"`
	Kind  string `json:"kind"`
	Code  int    `json:"exit_code"`

	Checks []manifest.Check `json:"checks,omitempty"` // where one of them failed
}

// complain says on stderr what went wrong and what to do about it.
func (a *app) complain(err error) {
	if _, told := errors.AsType[finding](err); err == nil || told {
		return
	}
	if f, ok := errors.AsType[*faulty](err); ok {
		a.complainOf(f)
		return
	}
	c := complaint{Error: err.Error(), Hint: a.say(todo(err)), Kind: kind(err), Code: code(err)}
	if unsealed, ok := errors.AsType[*pipeline.ChecksError](err); ok {
		c.Checks = unsealed.Results
	}
	if a.flags.json {
		line, _ := json.Marshal(c)                                  // of strings and a number: can't fail
		_, _ = a.talk.Raw().Write(append(console.JSON(line), '\n')) // talk never fails
		return
	}
	a.talk.Printer().Printf("Error: %s\n", c.Error)
	if c.Hint != "" {
		a.talk.Printer().Printf("What to do: %s\n", c.Hint)
	}
}

// kind names the kind of failure: a fault's own, or the one that its exit code stands for.
func kind(err error) string {
	switch code(err) {
	case NotSealed:
		return "not_sealed"
	case Stopped:
		return "stopped"
	case Busy:
		return "busy"
	case ChangeFirst:
		if fault.KindOf(err) == fault.Credentials {
			return fault.Credentials.String()
		}
		return fault.Configuration.String()
	default:
		return fault.KindOf(err).String()
	}
}

// todo is the error's own advice, else that of its exit code.
func todo(err error) advice.Advice {
	if own := fault.AdviceOf(err); own.Text != "" {
		return own
	}
	if missing, ok := errors.AsType[*snapshot.MissingError](err); ok && code(err) == ChangeFirst {
		if len(missing.Sealed) == 0 {
			return advice.Say("{} seals one; if there should be some, check the path in the sink block", advice.Rollcall("run"))
		}
		return advice.Say("{} lists what is sealed", advice.Rollcall("snapshots"))
	}
	return advice.Say(hint(err))
}

// hint is the advice of an exit code.
func hint(err error) string {
	switch code(err) {
	case Busy:
		return "wait until it has ended; a run that died is taken over once its lock has stood still for half a minute"
	case NotSealed:
		return "run the same command again: it asks only what is missing; or raise tolerate_failed in the snapshot block"
	case Unexpected:
		return "nothing that was fetched is lost: run the same command again; if it fails alike, report it with this message"
	case Stopped:
		run, isRun := errors.AsType[*pipeline.StoppedError](err)
		if _, other := errors.AsType[*stopped](err); other && !isRun || isRun && run.Done == 0 {
			return "run the same command again"
		}
		return "what was fetched is kept: run the same command again to go on"
	default:
		return ""
	}
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
