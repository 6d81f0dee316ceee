package e2e_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/bootyard/bootyard/internal/lab"
)

// TestMain removes what an interrupted run before this one left behind: labs
// whose maker is dead. A lab of somebody who lives is left alone.
func TestMain(m *testing.M) {
	if os.Geteuid() == 0 && os.Getenv("BOOTYARD_VM") != "" {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		if _, err := lab.Sweep(ctx, "", slog.New(slog.DiscardHandler)); err != nil {
			fmt.Fprintln(os.Stderr, "remove what an earlier run left:", err)
		}
		cancel()
	}
	os.Exit(m.Run())
}
