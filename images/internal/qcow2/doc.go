// Package qcow2 reads disk images of QEMU (docs/interop/qcow2 of QEMU, versions 2
// and 3): plain, zero and compressed clusters (deflate, zstd). It reads one image
// that stands alone: a backing file, encryption, a data file outside and extended
// L2 entries are refused. It writes nothing. Images are foreign data: memory is
// bounded whatever the headers claim.
package qcow2
