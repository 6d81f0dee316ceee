package wire

import "strconv"

// The kinds of packages, and the numbers that exports of Configuration Manager
// have for them (TS-139). Task sequences, number 4, are no packages here.
const (
	KindPackage        = "package"        // 0
	KindDriverPackage  = "driverPackage"  // 3
	KindOSImage        = "osImage"        // 257
	KindBootImage      = "bootImage"      // 258
	KindUpgradePackage = "upgradePackage" // 259
)

// PackageKind reads a kind by its name or by the number of an export; empty is
// KindPackage.
func PackageKind(text string) (kind string, ok bool) {
	for number, name := range map[int]string{0: KindPackage, 3: KindDriverPackage, 257: KindOSImage, 258: KindBootImage, 259: KindUpgradePackage} {
		if text == name || text == strconv.Itoa(number) {
			return name, true
		}
	}
	return KindPackage, text == ""
}
