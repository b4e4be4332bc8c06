package config

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"rollcall/schema/spelling"
)

// didYouMean names what was probably meant instead of given, else what there is.
func didYouMean(given, what string, names []string) string {
	if near := spelling.Nearest(given, names); near != "" && near != given {
		return fmt.Sprintf("Did you mean %q? %s", near, thereAre(what, names))
	}
	return thereAre(what, names)
}

// thereAre lists what there is, the first twenty at most.
func thereAre(what string, names []string) string {
	const most = 20
	var different []string
	for _, name := range names {
		if !slices.Contains(different, name) {
			different = append(different, name)
		}
	}
	if len(different) == 0 {
		return fmt.Sprintf("There are no %s.", what)
	}
	if len(different) > most {
		different = append(different[:most], "…")
	}
	return fmt.Sprintf("There are these %s: %s.", what, strings.Join(different, ", "))
}

func count(n int, noun string) string {
	switch n {
	case 0:
		return "no " + noun + "s"
	case 1:
		return "one " + noun
	case 2:
		return "two " + noun + "s"
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// either joins words as a sentence does: a, b or c.
func either(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

// reason is the cause of a file's error without the path, which the message names already.
func reason(err error) string {
	if cause, ok := errors.AsType[*fs.PathError](err); ok {
		return cause.Err.Error()
	}
	return err.Error()
}
