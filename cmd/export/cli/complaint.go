package cli

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"

	"rollcall/cmd/export/console"
	"rollcall/pipeline"
	"rollcall/pipeline/snapshot"
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
	c := complaint{Error: err.Error(), Hint: a.named(hint(err)), Kind: kind(err), Code: code(err)}
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

// commands are those in advice that read a configuration, or a state folder too.
var commands = regexp.MustCompile(`rollcall (run|status|plan|validate|verify|snapshots|report|explain|diff|reconcile)\b`)

// named lets the commands in advice name the configuration and the state folder that this one was
// given, so that they can be typed as they stand.
func (a *app) named(advice string) string {
	return commands.ReplaceAllStringFunc(advice, func(command string) string {
		if a.flags.config != defaultConfig && a.flags.config != "" {
			command += " --config " + shell(a.flags.config)
		}
		if a.flags.state != "" && (strings.HasPrefix(command, "rollcall run") || strings.HasPrefix(command, "rollcall status") || strings.HasPrefix(command, "rollcall plan")) {
			command += " --state " + shell(a.flags.state)
		}
		return command
	})
}

// hint is the error's own advice, else that of its exit code.
func hint(err error) string {
	if h := fault.HintOf(err); h != "" {
		return h
	}
	switch code(err) {
	case Busy:
		return "wait until it has ended; a run that died is taken over once its lock has stood still for half a minute"
	case NotSealed:
		return "run the same command again: it asks only what is missing; or raise tolerate_failed in the snapshot block"
	case Unexpected:
		return "nothing that was fetched is lost: run the same command again; if it fails alike, report it with this message"
	case Stopped:
		_, run := errors.AsType[*pipeline.StoppedError](err)
		if _, other := errors.AsType[*stopped](err); other && !run {
			return "run the same command again"
		}
		return "what was fetched is kept: run the same command again to go on"
	case ChangeFirst:
		if missing, ok := errors.AsType[*snapshot.MissingError](err); ok {
			if len(missing.Sealed) == 0 {
				return "`rollcall run` seals one; if there should be some, check the path in the sink block"
			}
			return "`rollcall snapshots` lists what is sealed"
		}
		return ""
	default:
		return ""
	}
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
