// Command export is Rollcall's command line; the binary is called rollcall, since export is a word
// of the shell. All it does is hand the world (arguments, streams, clock, environment, signals)
// to package cli and exit with the code that comes back.
package main

import (
	"context"
	"io"
	"log"
	"os"
	"runtime/debug"

	"rollcall/cmd/export/cli"
)

// memory is where the garbage collector begins to work harder. What must be held at one time is
// far less, whatever the size of the night; without a limit the collector would let as much again
// pile up before it looks.
const memory = 320 << 20

func main() {
	// Nothing but the command line speaks on stderr. What libraries log, such as net/http, may hold raw
	// bytes of answers and signatures.
	log.SetOutput(io.Discard)
	if _, chosen := os.LookupEnv("GOMEMLIMIT"); !chosen {
		debug.SetMemoryLimit(memory)
	}
	os.Exit(cli.Main(context.Background(), cli.System()))
}
