package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/bootyard/bootyard/images/apply"
	"github.com/bootyard/bootyard/images/bootimage"
	"github.com/bootyard/bootyard/internal/wire"
	"github.com/bootyard/bootyard/media"
)

func newMediaCommand(env *environment) *cobra.Command {
	return group("media", "Boot media",
		group("create", "Make a medium", newMediaBootableCommand(env)),
		list(env, "List media", "/media", table[wire.MediaRecord]{
			empty:  "no media: make one with 'bootyard media create bootable --out FILE'",
			header: []any{"ID", "LABEL", "UNATTENDED", "BOOT IMAGE", "EXPIRES", "REVOKED"},
			cells: func(m wire.MediaRecord) []any {
				return []any{m.ID, m.Label, yes(m.Unattended), m.BootImage, when(&m.Expires), when(m.Revoked)}
			},
		}),
		action(env, "revoke MEDIUM", "Make a medium useless: its key is refused from now on (MED-7)",
			http.MethodDelete, at("/media/", ""), "medium %s is revoked"))
}

func newMediaBootableCommand(env *environment) *cobra.Command {
	in := wire.MediaCreate{}
	var out string
	var set []string
	c := &cobra.Command{
		Use: "bootable --out FILE", Short: "Make an ISO that boots BIOS and UEFI machines into bootyard", Args: cobra.NoArgs,
		Long: `Make an ISO for CD or USB stick that boots BIOS and UEFI machines into the boot
environment. With --unattended and --set SMSTSPreferredAdvertID=ID it runs exactly
that deployment with nobody typing, hidden or not (MED-2).

The image carries a key of its own: guard it, and revoke it when it is lost.`,
		Example: "  bootyard media create bootable --out lab.iso --unattended --set SMSTSPreferredAdvertID=BYD20000",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if out == "" {
				return wrongUsage("say where to write the image with --out FILE")
			}
			in.Variables = map[string]string{}
			for _, pair := range set {
				name, value, ok := strings.Cut(pair, "=")
				if !ok || name == "" {
					return wrongUsage("--set %q is not of the form NAME=VALUE", name) // the value may be a secret
				}
				in.Variables[name] = value
			}
			return runMediaBootable(cmd, env, in, out)
		},
	}
	f := c.Flags()
	f.StringVar(&out, "out", "", "image file to write")
	f.StringVar(&in.Label, "label", "", "volume label (default bootyard)")
	f.StringVar(&in.BootImage, "boot-image", "", "boot image id (default: that of the preferred deployment, or the only one)")
	f.BoolVar(&in.Unattended, "unattended", false, "ask nothing (MED-1)")
	f.BoolVar(&in.Repeat, "repeat", false, "deploy the same machine again and again (MED-25)")
	f.StringArrayVar(&set, "set", nil, "media variable NAME=VALUE, repeatable")
	return c
}

func runMediaBootable(cmd *cobra.Command, env *environment, in wire.MediaCreate, out string) error {
	ctx := cmd.Context()
	if env.remote() != "" {
		return errors.New("media are made on the appliance, where the boot image's files are")
	}
	if _, err := os.Stat(filepath.Dir(out)); err != nil { // before a key is made
		return fmt.Errorf("folder of --out: %w", err)
	}
	ca, err := authority(cmd, env)
	if err != nil {
		return err
	}
	made, err := post[wire.MediaCreated](ctx, env, "/media", in)
	if err != nil {
		return err
	}
	settings, err := json.Marshal(made.Media)
	if err != nil {
		return fmt.Errorf("encode the medium's settings: %w", err)
	}
	var site bytes.Buffer
	if err := bootimage.SiteArchive(&site, map[string][]byte{
		strings.TrimPrefix(wire.SiteCAFile, "/"): ca,
		strings.TrimPrefix(wire.MediaFile, "/"):  settings,
	}); err != nil {
		return fmt.Errorf("make site archive: %w", err)
	}
	dir := made.BootImage.Dir
	p := env.progress()
	err = media.Create(ctx, media.Spec{
		Out: out, Label: made.Record.Label, Site: site.Bytes(),
		Kernel: filepath.Join(dir, made.BootImage.Kernel), Initrd: []string{filepath.Join(dir, made.BootImage.Initrd)},
		Args:    "console=ttyS0,115200 console=tty0 quiet loglevel=4 " + wire.ArgMedia + "=1",
		Markers: []string{"/" + apply.MarkerOnESP, "/" + apply.MarkerOnRoot},
	}, p.show)
	p.end()
	if err != nil {
		// A key that is on no medium is of no use to anybody.
		return errors.Join(err, act(ctx, env, http.MethodDelete, "/media/"+esc(made.Record.ID), nil))
	}
	return env.print(made.Record, func(w *tabwriter.Writer) {
		row(w, "medium", made.Record.ID)
		row(w, "image", out)
		row(w, "unattended", yes(made.Record.Unattended))
		row(w, "expires", when(&made.Record.Expires))
	})
}

func authority(cmd *cobra.Command, env *environment) ([]byte, error) {
	c, err := env.client()
	if err != nil {
		return nil, err
	}
	body, err := c.Stream(cmd.Context(), "/ca.pem")
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(io.LimitReader(body, 64<<10))
}
