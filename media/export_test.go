package media

// GrubConfig lets tests read the loader's configuration.
func GrubConfig(s Spec) ([]byte, error) { return s.grubConfig() }
