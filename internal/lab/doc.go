// Package lab is bootyard's built-in test bench: an isolated network on this
// computer and QEMU machines in it that really boot. `bootyard lab`, the demo
// and the end-to-end tests are made of it.
//
// A lab is a handful of network namespaces. One holds a bridge, which plays the
// switch and has no address. Every host (the server first) has a namespace of
// its own with an eth0 whose other end is a bridge port. Every machine has a tap
// on the bridge. Nothing links to the computer's own network, so a DHCP server
// in a lab can disturb nobody.
//
//	 namespace bylab-NAME-switch                   namespace bylab-NAME-server
//	┌─────────────────────────────────────┐       ┌────────────────┐
//	│ QEMU ── t-bios1 ─┐                  │       │ eth0 10.77.0.1 │
//	│ QEMU ── t-uefi1 ─┼─ br0 ─ p-server ─┼───────┤ bootyard serve │
//	└─────────────────────────────────────┘       └────────────────┘
//
// # Use in a test
//
//	l, err := lab.Up(t.Context(), lab.Config{Name: "mytest", LogDir: t.ArtifactDir()})
//	require.NoError(t, err)
//	t.Cleanup(func() { assert.NoError(t, l.Down(context.Background())) })
//
//	server := l.Server()                     // 10.77.0.1 in its own namespace
//	cmd := server.Command(t.Context(), "bootyard", "serve", "--config", cfg)
//	require.NoError(t, cmd.Start())          // dies with this process
//
//	m, err := l.Boot(t.Context(), lab.MachineSpec{
//		Name:      "uefi1",
//		Firmware:  lab.UEFI,
//		Disks:     []lab.Disk{{Bus: lab.AHCI, Size: 4 << 30}},
//		BootOrder: []lab.BootDevice{lab.BootNetwork, lab.BootDisk},
//	})
//	require.NoError(t, err)
//	_, err = m.WaitConsole(ctx, `bootyard-agent: ready`)
//	require.NoError(t, err)                  // the error shows the last lines
//
//	require.NoError(t, m.Stop(ctx))          // the power plug
//	m, err = l.Boot(ctx, m.Spec())           // same disk, same NVRAM, new console offset
//
// Tests that boot machines run only when the environment has BOOTYARD_VM=1.
//
// # What is left behind
//
// Nothing, once Down has returned. All processes in the lab's namespaces are
// ended, then the namespaces, disks and state are removed. QEMU and commands
// started in a host die with the process that started them, unless the lab was
// made with Config.Persist. What a killed process could not remove (namespaces
// and files) is written down in the state file before it is made; the next Up
// of the same name, Down or Sweep removes it, and touches nothing that is not in
// that file: namespaces are compared by inode, processes by start time.
//
// # Needs
//
// Linux, root, iproute2, nftables (for Drop), qemu-system-x86 with ovmf and
// seabios (for machines), qemu-utils (for qcow2 disks only).
package lab
