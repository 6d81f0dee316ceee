package step

// softwareStep returns the steps that install software; nil for any other type.
func softwareStep(kind string) Step {
	switch kind {
	case "InstallApplicationAction":
		return InstallApplication{}
	case "InstallSoftwareAction":
		return InstallPackage{}
	case "InstallUpdateAction":
		return InstallUpdates{}
	}
	return nil
}
