// Package images is the home of everything that is an image: bootimage builds
// the environment a machine comes up in (kernel, initramfs), osimage makes
// operating system images, disk prepares the disk they go to and apply puts
// them there. This package itself holds no code. None of its parts knows the
// appliance or the agent.
package images
