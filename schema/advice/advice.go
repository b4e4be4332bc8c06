// Package advice says what a person can do next. A command of Rollcall in it is data: only the command
// line knows what was typed, and renders a command with the flags that belong to it, so that it can be
// typed as it stands.
//
// Nothing here fails. Text and commands are data of our own; what they quote is escaped by who prints it.
package advice

import "strings"

// Flag is a flag of a command; one without a value is a switch.
type Flag struct {
	Name  string `json:"name"` // "date"
	Value string `json:"value,omitempty"`
}

// Command is a command of Rollcall.
type Command struct {
	Name  string   `json:"name"` // "verify"
	Args  []string `json:"args,omitempty"`
	Flags []Flag   `json:"flags,omitempty"`
}

// Rollcall is the command of that name, with arguments.
func Rollcall(name string, args ...string) Command { return Command{Name: name, Args: args} }

// With is the command with one flag more; an empty value makes it a switch.
func (c Command) With(flag, value string) Command {
	c.Flags = append(c.Flags[:len(c.Flags):len(c.Flags)], Flag{flag, value})
	return c
}

// Sets tells whether the command has a flag of that name.
func (c Command) Sets(flag string) bool {
	for _, f := range c.Flags {
		if f.Name == flag {
			return true
		}
	}
	return false
}

// String is the command alone, for who knows nothing of what was typed.
func (c Command) String() string {
	words := append([]string{"rollcall", c.Name}, c.Args...)
	for _, f := range c.Flags {
		words = append(words, "--"+f.Name)
		if f.Value != "" {
			words = append(words, f.Value)
		}
	}
	return strings.Join(words, " ")
}

// Advice is a text with commands: each {} in Text stands for the next of them.
type Advice struct {
	Text     string    `json:"text"`
	Commands []Command `json:"commands,omitempty"`
}

// Say is a text with commands in the places of its {}.
func Say(text string, commands ...Command) Advice { return Advice{text, commands} }

// Then is the advice with another behind it.
func (a Advice) Then(text string, commands ...Command) Advice {
	return Advice{a.Text + text, append(a.Commands[:len(a.Commands):len(a.Commands)], commands...)}
}

// Render is the text with each command as line gives it, in backticks.
func (a Advice) Render(line func(Command) string) string {
	text := a.Text
	var b strings.Builder
	for _, c := range a.Commands {
		before, after, found := strings.Cut(text, "{}")
		if !found {
			break
		}
		b.WriteString(before + "`" + line(c) + "`")
		text = after
	}
	b.WriteString(text)
	return b.String()
}

// String is the text with its commands alone.
func (a Advice) String() string { return a.Render(Command.String) }
