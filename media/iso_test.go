package media_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/media"
)

func spec(t *testing.T) media.Spec {
	t.Helper()
	dir := t.TempDir()
	write := func(name, data string) string {
		p := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(p, []byte(data), 0o644))
		return p
	}
	return media.Spec{
		Out: filepath.Join(dir, "out.iso"), Kernel: write("kernel", "kernel bytes"),
		Initrd: []string{write("initrd", "archive")}, Site: []byte("site data"),
		Args: "console=ttyS0,115200 bootyard.media=1", Label: "Lab 1",
		Markers: []string{"/bootyard/pending.run"},
	}
}

func TestImageHoldsWhatTheMachineNeeds(t *testing.T) {
	for _, tool := range []string{media.Tool, "xorriso", "mformat"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	s := spec(t)
	require.NoError(t, os.WriteFile(s.Out, []byte("the medium before"), 0o644))
	require.NoError(t, media.Create(t.Context(), s, nil))

	got := t.TempDir()
	out, err := exec.CommandContext(t.Context(), "xorriso", "-osirrox", "on", "-indev", s.Out, "-extract", "/", got).CombinedOutput()
	require.NoError(t, err, string(out))
	for name, want := range map[string]string{
		"bootyard/vmlinuz": "kernel bytes", "bootyard/initrd0.img": "archive",
		"bootyard/site.img": "site data", "MediaLabel.txt": "label=Lab 1\n",
	} {
		data, err := os.ReadFile(filepath.Join(got, name))
		require.NoError(t, err)
		require.Equal(t, want, string(data), name)
	}
	for _, loader := range []string{"boot/grub/i386-pc/normal.mod", "efi.img"} {
		require.FileExists(t, filepath.Join(got, loader))
	}
	toc, err := exec.CommandContext(t.Context(), "xorriso", "-indev", s.Out, "-pvd_info").CombinedOutput()
	require.NoError(t, err)
	require.Contains(t, string(toc), "LAB_1")

	info, err := os.Stat(s.Out)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "it carries a key")
	left, err := filepath.Glob(filepath.Join(filepath.Dir(s.Out), ".medium-*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestConfigIsValidForTheLoader(t *testing.T) {
	if _, err := exec.LookPath("grub-script-check"); err != nil {
		t.Skip("grub-script-check is not installed")
	}
	config, err := media.GrubConfig(spec(t))
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "grub.cfg")
	require.NoError(t, os.WriteFile(file, config, 0o644))
	out, err := exec.CommandContext(t.Context(), "grub-script-check", file).CombinedOutput()
	require.NoError(t, err, string(out))
}

func TestFailureLeavesTheOldImage(t *testing.T) {
	s := spec(t)
	require.NoError(t, os.WriteFile(s.Out, []byte("the medium before"), 0o644))
	s.Kernel = filepath.Join(t.TempDir(), "absent")
	require.Error(t, media.Create(t.Context(), s, nil))
	data, err := os.ReadFile(s.Out)
	require.NoError(t, err)
	require.Equal(t, "the medium before", string(data))
}

func TestNothingReachesTheLoaderAsACommand(t *testing.T) {
	for name, change := range map[string]func(*media.Spec){
		"arguments": func(s *media.Spec) { s.Args = "quiet\n}\nreboot" },
		"quote":     func(s *media.Spec) { s.Label = `x" { reboot }` },
		"variable":  func(s *media.Spec) { s.Args = "$cmdpath" },
		"marker":    func(s *media.Spec) { s.Markers = []string{"/x; reboot"} },
		"dots":      func(s *media.Spec) { s.Markers = []string{"/../x"} },
	} {
		t.Run(name, func(t *testing.T) {
			s := spec(t)
			change(&s)
			require.Error(t, media.Create(t.Context(), s, nil))
			require.NoFileExists(t, s.Out)
		})
	}
}
