package script_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/pxe/script"
)

var update = flag.Bool("update", false, "write the golden files anew")

func plans() map[string]script.Plan {
	files := []script.File{{Name: "vmlinuz", URL: "http://10.0.0.1/f/vmlinuz?exp=1&sig=a-b_c%2F"}, {Name: "initrd.img", URL: "http://10.0.0.1/f/i"},
		{Name: "site.img", URL: "http://10.0.0.1/f/s"}}
	self := "http://10.0.0.1/boot/x?mac=52:54:00:00:00:01"
	return map[string]script.Plan{
		"kernel":       {Kind: script.Kernel, Text: "required deployment BYD20000", Files: files, Args: "console=ttyS0  byd.token=abc quiet", Self: self},
		"kernel-alone": {Kind: script.Kernel, Files: files[:1], Self: self, UEFI: true},
		"kernel-last":  {Kind: script.Kernel, Files: files[:1], Self: self, Try: script.MaxTries},
		"menu": {Kind: script.Menu, Text: "two available", Self: self, Timeout: 15 * time.Second,
			Items: []script.Item{{ID: "BYD20000", Title: "Debian 12"}, {ID: "BYD20001", Title: "--default ${x} 'q'; reboot ü"}}},
		"local":      {Kind: script.Local, Text: "nothing to do"},
		"local-uefi": {Kind: script.Local, Text: "nothing to do", UEFI: true, Local: "http://10.0.0.1/boot/loader/grub-x64-10.0.0.1-80.efi"},
		"message":    {Kind: script.Message, Text: "try later", Self: self, Try: 1},
	}
}

func TestGolden(t *testing.T) {
	for name, p := range plans() {
		for kind, render := range map[string]func(script.Plan) ([]byte, error){"ipxe": script.IPXE, "grub": script.GRUB} {
			t.Run(name+"."+kind, func(t *testing.T) {
				got, err := render(p)
				require.NoError(t, err)
				file := filepath.Join("testdata", name+"."+kind)
				if *update {
					require.NoError(t, os.MkdirAll("testdata", 0o755))
					require.NoError(t, os.WriteFile(file, got, 0o644))
				}
				want, err := os.ReadFile(file)
				require.NoError(t, err)
				require.Equal(t, string(want), string(got))
			})
		}
	}
}

func TestRefusesWhatCouldBecomeACommand(t *testing.T) {
	ok := script.File{Name: "vmlinuz", URL: "http://10.0.0.1/f"}
	for name, p := range map[string]script.Plan{
		"newline in args":      {Kind: script.Kernel, Files: []script.File{ok}, Args: "a\nexit"},
		"quote in args":        {Kind: script.Kernel, Files: []script.File{ok}, Args: "a'b"},
		"expansion in args":    {Kind: script.Kernel, Files: []script.File{ok}, Args: "${password}"},
		"separator in args":    {Kind: script.Kernel, Files: []script.File{ok}, Args: "a || exit"},
		"comment in args":      {Kind: script.Kernel, Files: []script.File{ok}, Args: "a # b"},
		"option as a name":     {Kind: script.Kernel, Files: []script.File{{Name: "-n", URL: ok.URL}}},
		"space in name":        {Kind: script.Kernel, Files: []script.File{{Name: "a b", URL: ok.URL}}},
		"same name twice":      {Kind: script.Kernel, Files: []script.File{ok, ok}},
		"space in url":         {Kind: script.Kernel, Files: []script.File{{Name: "a", URL: "http://h/a b"}}},
		"quote in url":         {Kind: script.Kernel, Files: []script.File{{Name: "a", URL: "http://h/a'b"}}},
		"not http":             {Kind: script.Kernel, Files: []script.File{{Name: "a", URL: "tftp://h/a"}}},
		"relative":             {Kind: script.Kernel, Files: []script.File{{Name: "a", URL: "/a"}}},
		"user":                 {Kind: script.Kernel, Files: []script.File{{Name: "a", URL: "http://u:p@h/a"}}},
		"no kernel":            {Kind: script.Kernel},
		"empty menu":           {Kind: script.Menu, Self: ok.URL},
		"command as a menu id": {Kind: script.Menu, Self: ok.URL, Items: []script.Item{{ID: "a || exit", Title: "x"}}},
	} {
		for kind, render := range map[string]func(script.Plan) ([]byte, error){"ipxe": script.IPXE, "grub": script.GRUB} {
			_, err := render(p)
			require.Error(t, err, "%s %s", name, kind)
			require.NotContains(t, err.Error(), "password", "arguments carry secrets")
		}
	}
}

// FuzzRender: whatever comes in, the lines of the script are the ones we wrote, and each ends.
func FuzzRender(f *testing.F) {
	f.Add("text", "title", "id", "arg=1", "name", "http://10.0.0.1/x")
	f.Add("a\nexit", "'}\nreboot", "x", "a;b", "n\n", "http://h/$(x)")
	f.Add("${net0/mac}", "|| shell", "a.b", "\\", "x.", "http://h/?a=`b`")
	f.Fuzz(func(t *testing.T, text, title, id, args, name, u string) {
		for _, kind := range []script.Kind{script.Local, script.Kernel, script.Menu, script.Message} {
			p := script.Plan{Kind: kind, Text: text, Args: args, Self: "http://10.0.0.1/boot/x", Files: []script.File{{Name: name, URL: u}},
				Items: []script.Item{{ID: id, Title: title}}}
			if out, err := script.IPXE(p); err == nil {
				checkIPXE(t, string(out))
			}
			if out, err := script.GRUB(p); err == nil {
				checkGRUB(t, string(out))
			}
		}
	})
}

func checkIPXE(t *testing.T, s string) {
	verbs := "#!ipxe echo kernel initrd boot imgfree sleep chain menu item choose goto sanboot exit"
	for _, l := range strings.Split(strings.TrimSuffix(s, "\n"), "\n") {
		verb, rest, _ := strings.Cut(l, " ")
		if strings.HasPrefix(l, ":") {
			continue
		}
		if !strings.Contains(" "+verbs+" ", " "+verb+" ") {
			t.Fatalf("unexpected command %q", l)
		}
		if (verb == "echo" || verb == "item" || verb == "menu") && strings.ContainsAny(rest, "$|;&#\\\r") {
			t.Fatalf("text can act: %q", l)
		}
		if strings.Contains(l, "${") && l != "goto ${chosen}" {
			t.Fatalf("expansion: %q", l)
		}
	}
}

func checkGRUB(t *testing.T, s string) {
	s = strings.ReplaceAll(s, script.GRUBLocal, "")
	for _, l := range strings.Split(strings.TrimSuffix(s, "\n"), "\n") {
		if strings.Count(l, "'")%2 != 0 {
			t.Fatalf("unbalanced quotes: %q", l)
		}
		outside := ""
		for i, part := range strings.Split(l, "'") {
			if i%2 == 0 {
				outside += part
			}
		}
		if strings.ContainsAny(outside, "$`\\|&#") || strings.ContainsAny(l, "\r\x00") {
			t.Fatalf("acts outside quotes: %q", l)
		}
	}
}
