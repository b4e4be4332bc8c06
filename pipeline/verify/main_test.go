package verify_test

import (
	"testing"

	"go.uber.org/goleak"
)

// No goroutine outlives a verification, however it ends.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
