package cli

import (
	"fmt"
	"runtime"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"
	"github.com/spf13/cobra"

	"rollcall/cmd/export/console"
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "say which Rollcall this is",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			if a.flags.json {
				return a.answer(struct {
					Version string `json:"version"`
					Go      string `json:"go"`
					System  string `json:"system"`
				}{a.env.Version, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH})
			}
			a.out.Printer().Printf("rollcall %s (%s, %s/%s)\n", a.env.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return nil
		},
	}
}

func (a *app) versionLine() string {
	return fmt.Sprintf("rollcall %s (%s, %s/%s)\n", a.env.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// answer writes a command's result to stdout as one line of JSON, as encoding/json does, but for lists:
// those without elements are [], never null.
func (a *app) answer(result any) error {
	line, err := json.Marshal(result, jsonv1.DefaultOptionsV1(), json.FormatNilSliceAsNull(false), jsontext.EscapeForHTML(false))
	if err != nil {
		return err
	}
	_, err = a.out.Raw().Write(append(console.JSON(line), '\n'))
	return err
}
