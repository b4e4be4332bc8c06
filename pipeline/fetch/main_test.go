package fetch_test

import (
	"testing"

	"go.uber.org/goleak"
)

// No goroutine outlives a fetch.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
