// Command bootyard-agent runs on the machine that is being deployed; see package internal/agent.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/bootyard/bootyard/internal/agent/command"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := command.Execute(ctx, os.Args[1:], command.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	stop()
	os.Exit(code)
}
