package subscriptions

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(childFile); path != "" {
		changeForever(path)
	}
	goleak.VerifyTestMain(m)
}
