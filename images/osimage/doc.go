// Package osimage makes operating system images to deploy, and describes them.
//
// [BuildDebian] makes a small, real Debian as one compressed tar archive of
// files, from Debian's own packages by mmdebstrap. The image has a kernel and
// the tools to make itself bootable on BIOS and UEFI machines (rule TS-118b), and
// knows no machine: no machine-id, no SSH host keys, no fstab. It asks for its
// address by DHCP with the card's own client id, makes its SSH host key on the
// first start, speaks on the screen and on the first serial line, and prints on
// both when it is up:
//
//	bootyard: installed OS up <host name> (Linux <release>, <uptime> s)
//
// root's password is locked; Config.Autologin opens a shell on the serial line
// for labs and demonstrations.
//
// [Inspect] reads what a deployment must know before it touches a disk: system,
// architecture, kernels, unpacked size. Importing and capturing images, and
// putting them onto disks, is done elsewhere.
package osimage
