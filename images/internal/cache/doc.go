// Package cache is the ground on which image builds stand: a folder that several
// builds share safely, files that appear whole or not at all, and hashes. It does
// not know what is kept.
package cache
