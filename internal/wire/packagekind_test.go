package wire_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/wire"
)

func TestTS139PackageKinds(t *testing.T) {
	for text, want := range map[string]string{"": "package", "0": "package", "3": "driverPackage", "257": "osImage", "258": "bootImage", "259": "upgradePackage",
		"package": "package", "driverPackage": "driverPackage", "osImage": "osImage", "upgradePackage": "upgradePackage"} {
		kind, ok := wire.PackageKind(text)
		require.True(t, ok, text)
		require.Equal(t, want, kind)
	}
	for _, text := range []string{"4", "1", "-1", "image", "257 "} {
		_, ok := wire.PackageKind(text)
		require.False(t, ok, text)
	}
}
