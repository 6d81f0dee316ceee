// Package config reads bootyard.yaml. Unknown keys are errors; every key has a
// default that Config's comments and docs/configuration.md state.
package config
