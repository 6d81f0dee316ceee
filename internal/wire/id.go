package wire

import (
	"fmt"
	"regexp"
)

var objectID = regexp.MustCompile(`^[A-Z0-9]{3}[0-9A-F]{5}$`)

// ValidObjectID reports whether s has the shape of a package, image, sequence
// or deployment id: a site code of three and five upper-case hex digits (TRM-4,
// OPN-10).
func ValidObjectID(s string) bool { return objectID.MatchString(s) }

// FirstDeploymentNumber is where deployment ids begin; the numbers below are
// packages, images and sequences.
const FirstDeploymentNumber = 0x20000

// FormatObjectID makes the id for number n in site. n must be 1 to 0xFFFFF.
func FormatObjectID(site string, n int) string { return fmt.Sprintf("%s%05X", site, n) }
