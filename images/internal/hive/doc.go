// Package hive reads and writes registry hives, the format "regf" that Windows keeps its registry and its boot
// configuration in. A hive is written whole from a tree of keys; a hive in use by Windows, with its log files, is not its
// business.
package hive
