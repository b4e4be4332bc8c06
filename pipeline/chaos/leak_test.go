package chaos_test

import (
	"testing"

	"go.uber.org/goleak"
)

// No goroutine outlives a night, however it was broken.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
