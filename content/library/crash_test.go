package library_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/content/library"
)

const crashRoot = "BOOTYARD_TEST_CRASH_ROOT"

// TestMain lets the test binary be the process that is killed.
func TestMain(m *testing.M) {
	if root := os.Getenv(crashRoot); root != "" {
		fmt.Fprintln(os.Stderr, churn(root))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// churn changes packages for ever; it returns only with an error.
func churn(root string) error {
	l, err := library.Open(filepath.Join(root, "library"), library.Options{Signer: testKey()})
	if err != nil {
		return err
	}
	fmt.Println("open")
	source := filepath.Join(root, "source")
	for round := rand.IntN(1000); ; round++ {
		if err := os.WriteFile(filepath.Join(source, "changing"), []byte(strconv.Itoa(round)), 0o644); err != nil {
			return err
		}
		for i := range 3 {
			id := fmt.Sprintf("BYD0000%d", i)
			versions, err := l.Versions(id)
			if err != nil {
				return err
			}
			switch {
			case len(versions) == 0:
				_, err = l.Add(context.Background(), id, source, nil)
			case round%3 == i:
				_, err = l.Remove(id, nil)
			case len(versions) > 2:
				_, err = l.Prune(id, versions[len(versions)-1])
			default:
				_, err = l.Update(context.Background(), id, source, nil)
			}
			if err != nil {
				return err
			}
		}
	}
}

func TestKilledAnywhereEveryPackageIsWhole(t *testing.T) {
	root := t.TempDir()
	source := filepath.Join(root, "source")
	require.NoError(t, os.MkdirAll(source, 0o755))
	for i := range 5 {
		require.NoError(t, os.WriteFile(filepath.Join(source, strconv.Itoa(i)), make([]byte, i*300_000), 0o644))
	}
	self, err := os.Executable()
	require.NoError(t, err)
	packages := 0
	// At least twelve kills, and on a busy machine as many more as it takes to get as far as a package.
	for round := 0; round < 12 || packages == 0 && round < 100; round++ {
		killSoon(t, self, root)
		l, err := library.Open(filepath.Join(root, "library"), library.Options{Signer: testKey()})
		require.NoError(t, err)
		list, err := l.List()
		require.NoError(t, err)
		for _, p := range list {
			report, err := l.Verify(t.Context(), p.ID)
			require.NoError(t, err)
			require.Empty(t, report.Bad)
			packages++
		}
		_, _, err = l.Collect(0)
		require.NoError(t, err)
		require.NoError(t, l.Close())
	}
	assert.Positive(t, packages, "the helper never got as far as a package")
}

// killSoon starts the helper, and kills it some time after it has the library open.
func killSoon(t *testing.T, self, root string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), self, "-test.run=^$")
	command.Env = append(os.Environ(), crashRoot+"="+root)
	output, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	_, err = bufio.NewReader(output).ReadString('\n')
	require.NoError(t, err, "the helper did not open the library")
	<-time.After(rand.N(250 * time.Millisecond))
	require.NoError(t, command.Process.Kill(), "the helper ended by itself")
	var exit *exec.ExitError
	require.ErrorAs(t, command.Wait(), &exit)
	require.Equal(t, -1, exit.ExitCode(), "the helper ended by itself: %s", exit)
}

func TestRemovalsSpareWhatARunningImportReliesOn(t *testing.T) {
	root := t.TempDir()
	now := time.Now().Add(time.Hour)
	l, err := library.Open(root, library.Options{Signer: testKey(), Now: func() time.Time { return now }})
	require.NoError(t, err)
	defer l.Close()
	files := map[string]string{"a": "shared", "b": "also shared"}
	_, err = l.Add(t.Context(), "BYD00002", tree(t, files), nil)
	require.NoError(t, err)
	_, err = l.Add(t.Context(), pkg, tree(t, map[string]string{"a": "shared", "b": "also shared", "c": "new"}), func(p library.Progress) {
		if p.Files == 2 {
			require.NoError(t, failure(l.Remove("BYD00002", nil)))
			_, _, err := l.Collect(0)
			require.NoError(t, err)
		}
	})
	require.NoError(t, err)
	report, err := l.Verify(t.Context(), pkg)
	require.NoError(t, err)
	assert.Empty(t, report.Bad)
}

func TestManyAtOnce(t *testing.T) {
	l := open(t, t.TempDir())
	source := tree(t, map[string]string{"a": "1", "b": "2", "c": "3"})
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			id := fmt.Sprintf("BYD0000%d", i)
			for range 10 {
				_, err := l.Add(t.Context(), id, source, nil)
				assert.NoError(t, err)
				report, err := l.Verify(t.Context(), id)
				assert.NoError(t, err)
				assert.Empty(t, report.Bad)
				_, _, err = l.Collect(0)
				assert.NoError(t, err)
				assert.NoError(t, failure(l.Remove(id, nil)))
			}
		})
	}
	wg.Wait()
}
