package step

// settingsStep returns the steps that check the machine, connect it, and give an operating system its settings; nil for
// any other type.
func settingsStep(kind string) Step {
	switch kind {
	case "ApplyDriverPackageAction":
		return ApplyDriverPackage{}
	case "ApplyNetworkSettingsAction":
		return ApplyNetworkSettings{}
	case "ApplyWindowsSettingsAction":
		return ApplyWindowsSettings{}
	case "AutoApplyAction":
		return AutoApplyDrivers{}
	case "CaptureNetworkSettingsAction":
		return CaptureNetworkSettings{}
	case "CaptureWindowsSettingsAction":
		return CaptureWindowsSettings{}
	case "ConnectNetworkFolderAction":
		return ConnectFolder{}
	case "ConvertDiskAction":
		return ConvertDisk{}
	case "DisableBitLockerAction":
		return DisableBitLocker{}
	case "EnableBitLockerAction":
		return EnableBitLocker{}
	case "InstallDeployToolsAction":
		return InstallDeployTools{}
	case "JoinDomainWorkgroupAction":
		return JoinDomain{}
	case "OfflineEnableBitLockerAction":
		return PreProvisionBitLocker{}
	case "PrepareOSAction":
		return PrepareOS{}
	case "PrepareSMSClientAction":
		return PrepareClient{}
	case "PrestartCheckAction":
		return CheckReadiness{}
	case "UpgradeOperatingSystemAction":
		return UpgradeOS{}
	}
	return nil
}
