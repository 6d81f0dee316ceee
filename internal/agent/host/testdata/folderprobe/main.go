// Command folderprobe stands in for the agent in a boot image: it connects a share of the machine that runs the emulator,
// reads and writes there, and is refused with a wrong password.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/bootyard/bootyard/internal/agent/host"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/tsengine/machine"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	local := host.Local(wire.WinPE)
	args, err := local.BootArgs()
	must(err)
	must(local.ConnectNetwork(ctx, "", func(s string) { fmt.Println(s) }))
	port, err := strconv.Atoi(args["probe.port"])
	must(err)
	folders := host.Folders{Port: port}
	r := machine.FolderRequest{Path: `\\10.0.2.2\images\deep`, Letter: "Z:", Account: `WORKGROUP\nobody`, Password: "pass,word 1"}
	for range 2 { // the second takes the place of the first
		dir, err := folders.Connect(ctx, r)
		must(err)
		data, err := os.ReadFile(filepath.Join(dir, "hello.txt"))
		must(err)
		must(os.WriteFile(filepath.Join(dir, "answer.txt"), []byte("from the boot environment\n"), 0o600))
		fmt.Printf("probe: read %s at %s\n", strings.TrimSpace(string(data)), dir)
	}
	mounts, _ := os.ReadFile("/proc/self/mounts")
	fmt.Printf("probe: mounted once %t, password shown %t\n", strings.Count(string(mounts), "/run/bootyard/drives/Z") == 1, strings.Contains(string(mounts), "pass,"))
	r.Letter, r.Password = "Y:", "wrong"
	_, err = folders.Connect(ctx, r)
	fmt.Println("probe: wrong password:", err)
	r.Path, r.Password = `\\10.0.2.2\nothing`, "pass,word 1"
	_, err = folders.Connect(ctx, r)
	fmt.Println("probe: wrong share:", err)
	f, err := (&host.Readiness{Linux: host.Linux{Environment: wire.WinPE}, Free: host.FreeOn}).Readiness(ctx)
	must(err)
	fmt.Printf("probe: ready %d MB memory, %d MB disk, wired %t, uefi %t\n", *f.MemoryMB, *f.FreeDiskMB, *f.Wired, *f.UEFI)
	os.Exit(3)
}

func must(err error) {
	if err != nil {
		fmt.Println("probe: failed:", err)
		os.Exit(4)
	}
}
