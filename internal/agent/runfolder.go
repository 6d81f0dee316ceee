package agent

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/bootyard/bootyard/internal/wire"
)

// readRun reads the run that a folder is about.
func readRun(dir string) (wire.Run, error) {
	var run wire.Run
	data, err := os.ReadFile(filepath.Join(dir, runFile))
	if err == nil {
		err = json.Unmarshal(data, &run)
	}
	if err == nil && run.ID == "" {
		err = fmt.Errorf("it names no run")
	}
	if err != nil {
		return run, fmt.Errorf("read the run in %s: %w", dir, err)
	}
	return run, nil
}

// clearRun forgets a run. The run's file goes last, so that a kill in between leaves a folder that is cleared again.
func clearRun(dir string) error {
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return nil
	}
	for _, entry := range entries {
		if entry.Name() != runFile && err == nil {
			err = os.RemoveAll(filepath.Join(dir, entry.Name()))
		}
	}
	if err == nil {
		err = os.RemoveAll(dir)
	}
	if err != nil {
		return fmt.Errorf("forget the finished run: %w", err)
	}
	return nil
}

// readSmall reads a file of at most 64 KiB.
func readSmall(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.Size() > 64<<10 {
		return nil, fmt.Errorf("read %s: it has %d bytes", name, info.Size())
	}
	return os.ReadFile(name)
}
