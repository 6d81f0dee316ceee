//go:build linux

package host_test

import "github.com/bootyard/bootyard/internal/agent/host"

func fakeRoot(root string) host.Machine { return &host.Linux{Root: root} }
