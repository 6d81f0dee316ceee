package tftpd

// ParseName parses a request and returns the key it would look up, for fuzzing from outside.
func ParseName(p []byte) (string, error) {
	r, err := parseRequest(p)
	if err != nil {
		return "", err
	}
	_ = r.oack(1 << 30)
	if b := r.forLibrary(); len(b) > maxRequest {
		panic("request grew beyond what the library reads")
	}
	return key(r.name), nil
}
