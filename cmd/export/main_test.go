package main_test

import (
	"context"
	"os"
	"testing"

	"go.uber.org/goleak"

	"rollcall/cmd/export/cli"
)

// asProgram is set where this test's binary is to be the program itself.
const asProgram = "ROLLCALL_TEST_AS_PROGRAM"

// No goroutine outlives its test.
func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(cli.Main(context.Background(), cli.System()))
	}
	goleak.VerifyTestMain(m)
}
