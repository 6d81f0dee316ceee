package client_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/bootyard/bootyard/content"
	"github.com/bootyard/bootyard/content/client"
	"github.com/bootyard/bootyard/content/library"
)

// A folder becomes a package on the appliance, and a machine fetches it.
func Example() {
	if err := example(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// 1 file, 2 hashes checked
	// #!/bin/sh
}

func example() error {
	dir, err := os.MkdirTemp("", "bootyard-example-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	source := filepath.Join(dir, "setup.sh")
	if err := os.WriteFile(source, []byte("#!/bin/sh\n"), 0o644); err != nil {
		return err
	}
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return err
	}

	lib, err := library.Open(filepath.Join(dir, "library"), library.Options{Signer: private})
	if err != nil {
		return err
	}
	defer lib.Close()
	if _, err := lib.Add(context.Background(), "BYD00001", source, nil); err != nil {
		return err
	}
	server := httptest.NewServer(lib.Handler())
	defer server.Close()

	signed, _, err := lib.Manifest("BYD00001") // travels by the API
	if err != nil {
		return err
	}
	manifest, err := content.Verify(signed, public)
	if err != nil {
		return err
	}
	request := client.Request{Manifest: manifest, Dir: filepath.Join(dir, "cache"),
		Sources: []client.Source{{BaseURL: server.URL, Kind: client.KindCurrent}}}
	folder, stats, err := client.Fetch(context.Background(), request)
	if err != nil {
		return err
	}
	request.Recheck = client.RecheckHash // read it once more before it is used again
	_, again, err := client.Fetch(context.Background(), request)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(filepath.Join(folder, "setup.sh"))
	fmt.Printf("%d file, %d hashes checked\n%s", stats.Files, stats.HashesChecked+again.HashesChecked, data)
	return err
}
