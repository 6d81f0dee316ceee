package cli

import (
	"github.com/spf13/cobra"

	"github.com/bootyard/bootyard/internal/wire"
)

func newImageCommand(env *environment) *cobra.Command {
	osImport := packageImport(env, "import NAME FILE-OR-DIR", "Take an image (tar, squashfs, WIM, raw or qcow2) into the library", "osImage")
	osImport.Example = "  bootyard image os import \"Debian 12\" debian.tar.zst"
	return group("image", "Boot images and OS images",
		group("boot", "What machines boot to be deployed",
			newBootImageBuildCommand(env),
			list(env, "List boot images", "/boot-images", table[wire.BootImage]{
				empty:  "no boot image: make one with 'bootyard image boot build'",
				header: []any{"ID", "NAME", "ARCH", "SIZE", "READY", "DEFAULT", "CREATED"},
				cells: func(b wire.BootImage) []any {
					return []any{b.ID, b.Name, b.Arch, size(b.Size), yes(b.Ready), yes(b.Default), when(&b.Created)}
				},
			})),
		group("os", "What is applied to disks",
			newOSImageBuildCommand(env), osImport, newOSImageListCommand(env)))
}

// osImageTable shows, of captured images, what their authors said of them (IMG-1).
var osImageTable = table[wire.Package]{
	empty:  "no OS image: take one with 'bootyard image os import NAME FILE', make one with 'bootyard image os build', or capture one to bootyard:NAME",
	header: []any{"ID", "NAME", "VERSION", "SIZE", "UPDATED", "IMAGE VERSION", "AUTHOR", "CAPTURED FROM", "DESCRIPTION"},
	cells: func(p wire.Package) []any {
		return []any{p.ID, p.Name, p.Version, size(p.Size), when(&p.Updated), p.ImageVersion, p.Author, p.CapturedFrom, p.Description}
	},
}

func newOSImageListCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List OS images", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, err := get[[]wire.Package](cmd.Context(), env, "/packages")
			if err != nil {
				return err
			}
			images := []wire.Package{}
			for _, p := range all {
				if p.Kind == "osImage" {
					images = append(images, p)
				}
			}
			return osImageTable.show(env, images)
		},
	}
}
