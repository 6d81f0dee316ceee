package disk_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/images/disk"
)

const tableJSON = `[
 {"disk":0,"partition":1,"number":1,"device":"/dev/vda1","partuuid":"p1","type":"BIOSBoot","size":1},
 {"disk":0,"partition":2,"number":2,"device":"/dev/vda2","partuuid":"p2","type":"EFI","fs":"FAT32","size":1},
 {"disk":0,"partition":3,"number":3,"device":"/dev/vda3","partuuid":"p3","type":"Primary","fs":"SWAP","size":1},
 {"disk":0,"partition":4,"number":4,"letter":"C:","device":"/dev/vda4","partuuid":"p4","type":"LinuxRoot","fs":"EXT4","size":1},
 {"disk":1,"partition":1,"number":1,"letter":"D:","device":"/dev/vdb1","partuuid":"p5","type":"Primary","fs":"XFS","size":1}]`

func table(t *testing.T) *disk.VolumeTable {
	t.Helper()
	var tab disk.VolumeTable
	require.NoError(t, json.Unmarshal([]byte(tableJSON), &tab))
	return &tab
}

func TestVolumeTableFind(t *testing.T) {
	tab := table(t)
	for destination, want := range map[string]string{
		"C:": "p4", "c": "p4", `d:\`: "p5", "0,2": "p2", " 1 , 1 ": "p5",
		"E:": "", "2,1": "", "0,0": "", "": "", "C:\\Windows": "", "1,x": "", "%V%": "",
	} {
		v, err := tab.Find(destination)
		if want == "" {
			assert.ErrorIs(t, err, disk.ErrNoVolume, destination)
			continue
		}
		require.NoError(t, err, destination)
		assert.Equal(t, want, v.PARTUUID, destination)
	}
	_, err := tab.Find("F:")
	assert.ErrorContains(t, err, "0,4=C:", "the message lists what there is")
}

func TestVolumeTableNext(t *testing.T) {
	tab := table(t)
	for _, want := range []string{"p4", "p5"} {
		v, err := tab.Next()
		require.NoError(t, err)
		assert.Equal(t, want, v.PARTUUID)
		v.Used = true
		require.NoError(t, tab.Update(v))
	}
	_, err := tab.Next()
	assert.ErrorIs(t, err, disk.ErrNoVolume)
	esp, ok := tab.ESP(0)
	assert.True(t, ok)
	assert.Equal(t, "p2", esp.PARTUUID)
	_, ok = tab.ESP(1)
	assert.False(t, ok)
	assert.Len(t, tab.Swaps(0), 1)
}

func TestVolumeTableJSON(t *testing.T) {
	tab := table(t)
	b, err := json.Marshal(tab)
	require.NoError(t, err)
	var again disk.VolumeTable
	require.NoError(t, json.Unmarshal(b, &again))
	assert.Equal(t, tab.Volumes(), again.Volumes())

	b, err = json.Marshal(disk.VolumeTable{})
	require.NoError(t, err)
	assert.JSONEq(t, "[]", string(b))
	for _, bad := range []string{`{}`, `[{"letter":"CC:"}]`, `[{"letter":"C:"},{"letter":"C:"}]`, `[{"letter":"c:"}]`} {
		assert.Error(t, json.Unmarshal([]byte(bad), &again), bad)
	}
}

func FuzzVolumeTable(f *testing.F) {
	f.Add([]byte(tableJSON), "C:")
	f.Add([]byte(`[{"letter":"D:","disk":-1}]`), "0,1")
	f.Fuzz(func(t *testing.T, b []byte, destination string) {
		var tab disk.VolumeTable
		if json.Unmarshal(b, &tab) != nil {
			return
		}
		_, _ = tab.Find(destination)
		_, _ = tab.Next()
		again, err := json.Marshal(tab)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(again, &tab))
	})
}
