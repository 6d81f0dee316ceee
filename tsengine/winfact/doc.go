// Package winfact answers the conditions of Windows from a running Windows: WMI by COM, the registry in both views, and
// what Windows Installer knows (TS-72 to TS-78). On other systems it is empty; there a fact sheet answers.
package winfact
