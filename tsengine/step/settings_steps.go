package step

// settingsStep returns the steps that check the machine, connect it, and give an operating system its settings; nil for
// any other type.
func settingsStep(kind string) Step {
	switch kind {
	case "ApplyNetworkSettingsAction":
		return ApplyNetworkSettings{}
	case "ApplyWindowsSettingsAction":
		return ApplyWindowsSettings{}
	case "CaptureNetworkSettingsAction":
		return CaptureNetworkSettings{}
	case "CaptureWindowsSettingsAction":
		return CaptureWindowsSettings{}
	case "ConnectNetworkFolderAction":
		return ConnectFolder{}
	case "PrestartCheckAction":
		return CheckReadiness{}
	}
	return nil
}
