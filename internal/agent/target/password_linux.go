package target

import "crypto/rand"

// randomPassword has 26 random letters and digits and one of every kind that Windows' rules for passwords ask for. Nobody
// is told what it is.
func randomPassword() string { return rand.Text() + "aZ7!" }
