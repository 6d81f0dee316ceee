// Package regional knows how Windows and Linux name the same time zones, languages and keyboards. It is tables and pure
// functions; nothing here touches a machine.
package regional
