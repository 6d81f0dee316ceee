package step

// softwareStep returns the steps that install software and move user state; nil for any other type.
func softwareStep(kind string) Step {
	switch kind {
	case "CaptureUserStateAction":
		return CaptureUserState{}
	case "InstallApplicationAction":
		return InstallApplication{}
	case "InstallSoftwareAction":
		return InstallPackage{}
	case "InstallUpdateAction":
		return InstallUpdates{}
	case "ReleaseStateStoreAction":
		return ReleaseState{}
	case "RequestStateStoreAction":
		return RequestState{}
	case "RestoreUserStateAction":
		return RestoreUserState{}
	}
	return nil
}
