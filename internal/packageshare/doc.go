// Package packageshare offers packages as plain folders of a read-only SMB share, from which agents run them in place
// (DOP-5, DOP-13). The server is Samba's smbd, a child process with a configuration and state of its own; Share owns both,
// and the copies of the packages' files.
//
// What is in the share is a copy, not the content library's own file: whoever changes it there changes what machines run,
// unverified (DOP-15), but not the library.
package packageshare
