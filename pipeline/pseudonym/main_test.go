package pseudonym_test

import (
	"testing"

	"go.uber.org/goleak"
)

// No goroutine outlives its work.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
