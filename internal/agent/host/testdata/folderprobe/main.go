// Command folderprobe stands in for the agent in a boot image: it connects a share of the machine that runs the emulator,
// reads and writes there, and is refused with a wrong password.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
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
	must(inPlace(ctx, args))
	os.Exit(3)
}

// inPlace runs a program of the package share where it lies, as a run with the option DirectFromDP does (DOP-13).
func inPlace(ctx context.Context, args map[string]string) error {
	port, err := strconv.Atoi(args["probe.share"])
	if err != nil {
		return err
	}
	folders := host.Folders{}
	r := machine.FolderRequest{Path: `\\10.0.2.2\packages`, Account: "nobody", Password: args["probe.password"], Port: port, ReadOnly: true, Sealed: true}
	dir, err := folders.Connect(ctx, r)
	if err != nil {
		return err
	}
	command := exec.CommandContext(ctx, "/bin/sh", "run.sh")
	command.Dir = filepath.Join(dir, "BYD00001")
	said, err := command.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, said)
	}
	refused := os.WriteFile(filepath.Join(dir, "BYD00001", "run.sh"), []byte("x"), 0o600)
	mounts, _ := os.ReadFile("/proc/self/mounts")
	sealed := strings.Contains(string(mounts), "/packages") && strings.Contains(string(mounts), "seal")
	if err := folders.Disconnect(ctx, r); err != nil {
		return err
	}
	after, _ := os.ReadFile("/proc/self/mounts")
	fmt.Printf("probe: in place said %s, writing refused %t, sealed %t, disconnected %t\n", strings.TrimSpace(string(said)), refused != nil, sealed, !strings.Contains(string(after), "/packages"))
	return folders.Disconnect(ctx, r) // that there is nothing is no error
}

func must(err error) {
	if err != nil {
		fmt.Println("probe: failed:", err)
		os.Exit(4)
	}
}
