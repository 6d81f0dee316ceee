// Package tftpd serves a fixed set of small files, the first loaders, by TFTP (RFC 1350, 2347, 2348, 2349, 7440).
//
// A name in a request is a key that is looked up, never a path. Transfers to clients that ask for a window (edk2 and
// shim) are sent by a windowed sender of our own; all others by github.com/pin/tftp behind a filter that gives the
// library only requests it can serve. Known faults of the library and what keeps them away:
//   - no window size: requests that ask for one never reach it;
//   - no limit on transfers: the filter counts them, in all and for each client;
//   - its error texts reach the wire: missing files, writes and bad requests are answered by the filter;
//   - a handler that returns early leaks a socket: ours always reads or returns an error, also after a panic;
//   - option names are matched in lower case only: the filter rewrites the request;
//   - single-port mode crashes on a repeated ACK: never enabled.
package tftpd
