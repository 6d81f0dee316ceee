package tftpd_test

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/pxe/tftpd"
)

type recorder struct {
	mu   sync.Mutex
	list []tftpd.Transfer
	note chan struct{}
}

func (r *recorder) done(t tftpd.Transfer) {
	r.mu.Lock()
	r.list = append(r.list, t)
	r.mu.Unlock()
	r.note <- struct{}{}
}

func (r *recorder) wait(t *testing.T) tftpd.Transfer {
	select {
	case <-r.note:
	case <-time.After(20 * time.Second):
		t.Fatal("no transfer was reported")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.list[len(r.list)-1]
}

func start(t *testing.T, cfg tftpd.Config) (netip.AddrPort, *recorder) {
	_, rec, addr := startServer(t, cfg)
	return addr, rec
}

func startServer(t *testing.T, cfg tftpd.Config) (*tftpd.Server, *recorder, netip.AddrPort) {
	rec := &recorder{note: make(chan struct{}, 1000)}
	cfg.Done = rec.done
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	srv := tftpd.New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ctx, conn, netip.Addr{}) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			assert.NoError(t, err)
			assert.Zero(t, srv.Active())
		case <-time.After(30 * time.Second):
			t.Error("server did not end")
		}
	})
	return srv, rec, conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

func TestWindowedTransfer(t *testing.T) {
	for _, tt := range []struct {
		name          string
		size          int
		block, window int
		drop          func(uint64) bool
	}{
		{"edk2", 1_000_001, 1468, 4, nil},
		{"shim", 300_000, 512, 4, nil},
		{"exact multiple ends with an empty block", 512 * 8, 512, 4, nil},
		{"empty file", 0, 512, 4, nil},
		{"more than 65535 blocks", 66_000 * 64, 64, 32, nil},
		{"first of window lost", 100_000, 1468, 4, once(5)},
		{"middle of window lost", 100_000, 1468, 4, once(6)},
		{"last of window lost", 100_000, 1468, 4, once(8)},
		{"last block lost", 10_000, 1000, 4, once(11)},
		{"window of one, lost", 10_000, 1000, 1, once(3)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			data := sample(tt.size)
			addr, rec := start(t, tftpd.Config{Files: fileMap{"a.efi": data}})
			c := newClient(t, addr)
			c.drop = tt.drop
			c.request(1, "/a.efi", "octet", "tsize", "0", "blksize", strconv.Itoa(tt.block), "windowsize", strconv.Itoa(tt.window))
			require.Equal(t, map[string]string{"tsize": strconv.Itoa(tt.size), "blksize": strconv.Itoa(tt.block),
				"windowsize": strconv.Itoa(tt.window)}, c.options())
			require.Equal(t, string(data), string(c.fetch(tt.block, tt.window)))
			tr := rec.wait(t)
			require.Equal(t, tftpd.Sent, tr.Outcome, tr.Reason)
			require.Equal(t, tt.size, tr.Bytes)
			require.Equal(t, tt.window, tr.Window)
		})
	}
}

func once(n uint64) func(uint64) bool {
	done := false
	return func(b uint64) bool {
		if b == n && !done {
			done = true
			return true
		}
		return false
	}
}

// edk2 reads the size, says ERROR 8 and asks again (netboot-facts section 4).
func TestAbortAfterSizeIsNoFailure(t *testing.T) {
	for name, opts := range map[string][]string{
		"window":  {"tsize", "0", "blksize", "1468", "windowsize", "4"},
		"library": {"tsize", "0", "blksize", "1468"},
	} {
		t.Run(name, func(t *testing.T) {
			addr, rec := start(t, tftpd.Config{Files: fileMap{"a": sample(5000)}})
			c := newClient(t, addr)
			c.request(1, "a", "octet", opts...)
			require.Equal(t, "5000", c.options()["tsize"])
			c.send(5, 8, "User aborted the transfer")
			require.Equal(t, tftpd.Aborted, rec.wait(t).Outcome)
		})
	}
}

func TestNamesAreKeys(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("x"), 0o600))
	addr, rec := start(t, tftpd.Config{Files: fileMap{"a": sample(10), "dir/b": sample(10)}})
	for name, found := range map[string]bool{
		"a": true, "/a": true, "//a": true, `\a`: true, `dir\b`: true, `\\dir/b`: true,
		secret: false, "../a": false, "./a": false, "dir/../a": false, "a/": false, "dir": false, "A": false,
		"/../../../../etc/passwd": false, `..\..\etc\passwd`: false, strings.Repeat("a", 255): false,
	} {
		c := newClient(t, addr)
		c.request(1, name, "octet", "tsize", "0")
		p := c.read()
		if found {
			require.EqualValues(t, 6, binary.BigEndian.Uint16(p), name)
			c.send(5, 0, "enough")
			rec.wait(t)
			continue
		}
		require.Equal(t, "\x00\x05\x00\x01file not found\x00", string(p), name)
		require.Equal(t, tftpd.Missing, rec.wait(t).Outcome, name)
	}
}

func TestRefusals(t *testing.T) {
	addr, rec := start(t, tftpd.Config{Files: fileMap{"a": sample(10)}})
	for name, tt := range map[string]struct {
		packet string
		answer string // empty: none
	}{
		"write":            {"\x00\x02a\x00octet\x00", "\x00\x05\x00\x02read only\x00"},
		"overlong name":    {"\x00\x01" + strings.Repeat("a", 300) + "\x00octet\x00", "\x00\x05\x00\x04illegal request\x00"},
		"overlong request": {"\x00\x01a\x00octet\x00" + strings.Repeat("x", 1000), "\x00\x05\x00\x04illegal request\x00"},
		"empty name":       {"\x00\x01\x00octet\x00", "\x00\x05\x00\x04illegal request\x00"},
		"no end":           {"\x00\x01abc", "\x00\x05\x00\x04illegal request\x00"},
		"mail":             {"\x00\x01a\x00mail\x00", "\x00\x05\x00\x04illegal request\x00"},
		"newline":          {"\x00\x01a\nb\x00octet\x00", "\x00\x05\x00\x04illegal request\x00"},
		"stray data":       {"\x00\x03\x00\x01data", ""},
		"stray error":      {"\x00\x05\x00\x01error\x00", ""},
	} {
		c := newClient(t, addr)
		_, err := c.conn.WriteToUDPAddrPort([]byte(tt.packet), addr)
		require.NoError(t, err)
		require.Equal(t, tftpd.Refused, rec.wait(t).Outcome, name)
		if tt.answer != "" {
			require.Equal(t, tt.answer, string(c.read()), name)
			continue
		}
		require.NoError(t, c.conn.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
		_, _, err = c.conn.ReadFromUDPAddrPort(make([]byte, 100))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded, "%s: an error must not be answered", name)
	}
}

func TestLimitPerClient(t *testing.T) {
	srv, rec, addr := startServer(t, tftpd.Config{Files: fileMap{"a": sample(5000)}, MaxClient: 2})
	var cs []*client
	for range 2 {
		c := newClient(t, addr)
		c.request(1, "a", "octet", "windowsize", "4")
		c.options()
		cs = append(cs, c)
	}
	third := newClient(t, addr)
	third.request(1, "a", "octet", "windowsize", "4")
	tr := rec.wait(t)
	require.Equal(t, tftpd.Refused, tr.Outcome)
	require.Contains(t, tr.Reason, "limit")
	cs[0].request(1, "a", "octet", "windowsize", "4")
	require.Equal(t, "repeated request", rec.wait(t).Reason)
	require.Len(t, cs[0].fetch(512, 4), 5000)
	require.Equal(t, tftpd.Sent, rec.wait(t).Outcome)
	require.Eventually(t, func() bool { return srv.Active() == 1 }, 5*time.Second, time.Millisecond)
	third.request(1, "a", "octet", "windowsize", "4")
	third.options()
	require.Len(t, third.fetch(512, 4), 5000)
	cs[1].send(5, 0, "enough")
}

func TestClientFallsSilent(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for real timeouts")
	}
	t.Parallel()
	addr, rec := start(t, tftpd.Config{Files: fileMap{"a": sample(5000)}})
	c := newClient(t, addr)
	c.request(1, "a", "octet", "windowsize", "4")
	c.options()
	tr := rec.wait(t)
	require.Equal(t, tftpd.Failed, tr.Outcome)
	require.Equal(t, "client stopped answering", tr.Reason)
}

func TestStockClients(t *testing.T) {
	data := sample(3_000_000)
	addr, rec := start(t, tftpd.Config{Files: fileMap{"boot/a.efi": data}})
	port := strconv.Itoa(int(addr.Port()))
	for name, argv := range map[string][]string{
		"tftp-hpa": {"tftp", "-m", "binary", "127.0.0.1", port, "-c", "get", "boot/a.efi", "OUT"},
		"curl":     {"curl", "-sS", "--tftp-blksize", "1428", "-o", "OUT", "tftp://127.0.0.1:" + port + "/boot/a.efi"},
		"busybox":  {"busybox", "tftp", "-g", "-b", "1400", "-r", "boot/a.efi", "-l", "OUT", "127.0.0.1", port},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath(argv[0]); err != nil {
				t.Skipf("%s is not installed", argv[0])
			}
			out := filepath.Join(t.TempDir(), "out")
			var args []string
			for _, a := range argv[1:] {
				args = append(args, strings.ReplaceAll(a, "OUT", out))
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			msg, err := exec.CommandContext(ctx, argv[0], args...).CombinedOutput()
			require.NoError(t, err, "%s", msg)
			got, err := os.ReadFile(out)
			require.NoError(t, err)
			require.Equal(t, len(data), len(got))
			require.Equal(t, data, got)
			tr := rec.wait(t)
			require.Equal(t, tftpd.Sent, tr.Outcome)
			require.Equal(t, len(data), tr.Bytes)
		})
	}
}

func FuzzRequest(f *testing.F) {
	f.Add([]byte("\x00\x01a\x00octet\x00blksize\x001468\x00windowsize\x004\x00"))
	f.Add([]byte("\x00\x01..\\..\\x\x00netascii\x00tsize\x000\x00"))
	f.Add([]byte("\x00\x02\x00"))
	f.Fuzz(func(t *testing.T, p []byte) {
		name, err := tftpd.ParseName(p)
		if err != nil {
			return
		}
		if strings.HasPrefix(name, "/") || strings.ContainsAny(name, "\\\x00\n") || len(name) > 255 {
			t.Fatalf("key %q", name)
		}
	})
}
