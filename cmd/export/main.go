// Command export is Rollcall's command line; the binary is called rollcall, since export is a word
// of the shell. All it does is hand the world (arguments, streams, clock, environment, signals)
// to package cli and exit with the code that comes back.
package main

import (
	"context"
	"os"

	"rollcall/cmd/export/cli"
)

func main() {
	os.Exit(cli.Main(context.Background(), cli.System()))
}
