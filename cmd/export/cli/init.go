package cli

import (
	"errors"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"rollcall/pipeline/config"
	"rollcall/schema/fault"
)

func (a *app) initCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "init",
		Short: "write a commented starter configuration",
		Long:  "Writes a commented starter configuration to --config (rollcall.hcl). A file that is there is never overwritten.",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			if err := create(a.flags.config, string(config.Starter())); err != nil {
				return err
			}
			if a.flags.json {
				return a.answer(map[string]string{"written": a.flags.config})
			}
			return a.out.Printer().Printf("Wrote %[1]s. Next:\n  1. put the user IDs to ask about into users.txt, one a line\n  2. export RONGCLOUD_APP_KEY=… RONGCLOUD_APP_SECRET=…\n  3. %[2]s validate --config %[1]s\n", shell(a.flags.config), a.env.Program)
		},
	}
}

// create writes a new file and refuses to touch one that is there.
func create(path, text string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return misused("give another name with --config, or move that file away first", "%s is already there and is not overwritten", path)
	}
	if err != nil {
		return &fault.Error{Kind: fault.Configuration, Message: "the file can't be written", Hint: "give a path that can be written with --config", Err: err}
	}
	if _, err = file.WriteString(text); err != nil {
		_ = file.Close()
		return err
	}
	return file.Close()
}
