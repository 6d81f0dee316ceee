package step

// settingsStep returns the steps that check the machine, connect it, and give an operating system its settings; nil for
// any other type.
func settingsStep(kind string) Step {
	switch kind {
	case "PrestartCheckAction":
		return CheckReadiness{}
	}
	return nil
}
