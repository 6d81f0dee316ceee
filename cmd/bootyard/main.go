// Command bootyard is the appliance and its command line.
package main

import (
	"os"
	_ "time/tzdata" // zones of devices are resolved here, also where no tzdata package is installed

	"github.com/bootyard/bootyard/internal/cli"
)

func main() {
	ctx, stop := cli.SignalContext()
	code := cli.Execute(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
