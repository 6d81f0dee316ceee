// Package bootimage builds the environment that a machine runs in while
// bootyard works on it: Debian's own signed kernel and an initramfs with chosen
// kernel modules, the programs the steps need and the agent. Nothing comes from
// the build host's /usr: every file is from a Debian package named, with version
// and SHA-256, in a lock file, and the same lock file gives the same bytes.
//
// # Archives
//
// An initramfs is a row of cpio archives; the kernel unpacks one after the
// other. [Build] writes the base archive and the agent archive into one file.
// The site's own data (CA certificate, addresses) is a further archive made by
// [SiteArchive]; boot loaders take several files as one initrd, or [Concat]
// joins them.
//
// # What the agent finds
//
// /init mounts /proc, /sys, /dev, /dev/pts, /dev/shm, /run, /tmp and, on UEFI,
// /sys/firmware/efi/efivars; loads the modules of all hardware (and of hardware
// that appears later); sets the links of all interfaces up; prints on every
// console
//
//	bootyard: boot environment up (Linux <release>, <uptime> s)
//
// and starts "/usr/bin/bootyard-agent winpe" as a child of process 1.
//
//   - Output: what the agent prints goes to all consoles. With several consoles
//     its standard output is a pipe. BOOTYARD_CONSOLES lists them by name, the
//     preferred one last ("tty0 ttyS0"); an agent that draws a menu opens /dev/<name>
//     itself (tty1 in place of tty0 for keys). Standard input is /dev/console.
//   - End: exit code 0 restarts the machine at once (after sync). Any other code
//     leaves the screen as it is and puts a shell on every console; there is no
//     restart. An agent that restarts or powers off by itself does not return.
//   - Network: interfaces are up and without an address.
//     To get and keep a lease run, for as long as the lease is wanted,
//     "udhcpc -f -i <interface> -x hostname:<name>"; its script
//     (/usr/share/udhcpc/default.script) sets address, routes and
//     /etc/resolv.conf and writes the lease's facts to
//     /run/bootyard/net/<interface>.json and, for the interface bound last,
//     /run/bootyard/net.json: interface, mac, event (bound or renew), address,
//     prefix, routers, dns, ntp, domain, hostname, server, lease_seconds.
//   - Site data: what the site archive holds, by convention below /etc/bootyard.
//   - Kernel arguments: /proc/cmdline, untouched.
//   - Programs: those of tools.list, and busybox for the rest. No udev: device
//     nodes are the kernel's, there is no /dev/disk; use lsblk, blkid or sysfs.
//   - The root is a RAM file system: bind mounts and chroot work, pivot_root does
//     not. There is no certificate store; the site's CA is the only one trusted.
//   - The clock is whatever the hardware says.
//
// Not part of the image, so drivers that need it fail: firmware files from
// Debian's non-free-firmware (bnx2, bnx2x, some Realtek cards).
package bootimage
