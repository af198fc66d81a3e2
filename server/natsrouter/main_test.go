//go:build !nonats

package natsrouter

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if router := os.Getenv(childRouter); router != "" {
		serveUntilKilled(router, os.Getenv(childFile))
	}
	goleak.VerifyTestMain(m)
}
