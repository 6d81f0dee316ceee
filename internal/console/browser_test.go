package console_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/websocket"
)

// browser is one page of a headless Chromium, driven by the DevTools protocol. It is for one goroutine.
type browser struct {
	t    *testing.T
	conn *websocket.Conn
	id   int
}

// startBrowser starts Chromium with a profile of its own. The test is skipped where it is missing.
func startBrowser(t *testing.T) *browser {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not installed: apt-get install chromium")
	}
	profile := t.TempDir()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 2*time.Minute)
	cmd := exec.CommandContext(ctx, program, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--disable-extensions", "--hide-scrollbars", "--mute-audio",
		"--user-data-dir="+profile, "--ignore-certificate-errors", "--remote-debugging-port=0", "--remote-allow-origins=*", "about:blank")
	cmd.WaitDelay = 5 * time.Second
	var said bytes.Buffer
	cmd.Stderr = &said
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was killed
	})
	b := &browser{t: t}
	t.Cleanup(func() {
		if b.conn != nil {
			b.call("Browser.close", nil, nil) // its helpers end with it and let go of the profile
			_ = cmd.Wait()
		}
	})
	var port string
	require.Eventually(t, func() bool {
		data, err := os.ReadFile(filepath.Join(profile, "DevToolsActivePort"))
		port, _, _ = strings.Cut(string(data), "\n")
		return err == nil && port != ""
	}, 40*time.Second, 50*time.Millisecond, "chromium says: %s", &said)
	b.conn = attach(t, port)
	return b
}

// attach opens the DevTools connection of the first page.
func attach(t *testing.T, port string) *websocket.Conn {
	t.Helper()
	var pages []struct {
		Type string `json:"type"`
		URL  string `json:"webSocketDebuggerUrl"`
	}
	client, url := httpClient(t), "http://127.0.0.1:"+port+"/json/list"
	require.Eventually(t, func() bool {
		r, err := client.Get(url)
		if err != nil {
			return false
		}
		defer r.Body.Close()
		return json.NewDecoder(r.Body).Decode(&pages) == nil && len(pages) > 0 && pages[0].Type == "page"
	}, 20*time.Second, 50*time.Millisecond)
	conn, err := websocket.Dial(pages[0].URL, "", "http://127.0.0.1")
	require.NoError(t, err)
	conn.MaxPayloadBytes = 32 << 20
	return conn
}

// call sends a command and waits for its answer.
func (b *browser) call(method string, params map[string]any, out any) {
	b.t.Helper()
	b.id++
	require.NoError(b.t, b.conn.SetDeadline(time.Now().Add(30*time.Second)))
	require.NoError(b.t, websocket.JSON.Send(b.conn, map[string]any{"id": b.id, "method": method, "params": params}))
	for {
		var m struct {
			ID     int             `json:"id"`
			Result json.RawMessage `json:"result"`
			Error  json.RawMessage `json:"error"`
		}
		require.NoError(b.t, websocket.JSON.Receive(b.conn, &m), method)
		if m.ID != b.id {
			continue // an event
		}
		require.Empty(b.t, string(m.Error), method)
		if out != nil {
			require.NoError(b.t, json.Unmarshal(m.Result, out))
		}
		return
	}
}

// eval runs JavaScript in the page and returns its value.
func (b *browser) eval(script string) any {
	b.t.Helper()
	var r struct {
		Result struct {
			Value any `json:"value"`
		} `json:"result"`
		ExceptionDetails json.RawMessage `json:"exceptionDetails"`
	}
	b.call("Runtime.evaluate", map[string]any{"expression": script, "returnByValue": true}, &r)
	require.Empty(b.t, string(r.ExceptionDetails), script)
	return r.Result.Value
}

// wait waits until the script says true.
func (b *browser) wait(script string) {
	b.t.Helper()
	end := time.Now().Add(30 * time.Second)
	for b.eval(script) != true {
		if time.Now().After(end) {
			require.Fail(b.t, "not within 30 s: "+script, "the page says: %v", b.eval("document.body.innerText"))
		}
		<-time.After(50 * time.Millisecond)
	}
}

// open goes to a page and waits until it is there.
func (b *browser) open(url string) {
	b.t.Helper()
	b.call("Page.enable", nil, nil)
	b.call("Page.navigate", map[string]any{"url": url}, nil)
	b.wait(fmt.Sprintf("location.href.startsWith(%q) && document.readyState === 'complete'", url))
}

// size makes the page so wide; below 600 it is a phone.
func (b *browser) size(width, height int) {
	b.t.Helper()
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}, nil)
}

// scheme makes the page light or dark.
func (b *browser) scheme(name string) {
	b.t.Helper()
	b.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": name}}}, nil)
}

// picture keeps a screenshot when BOOTYARD_PICTURES names a folder.
func (b *browser) picture(name string) {
	b.t.Helper()
	dir := os.Getenv("BOOTYARD_PICTURES")
	if dir == "" {
		return
	}
	var shot struct {
		Data string `json:"data"`
	}
	b.call("Page.captureScreenshot", map[string]any{"format": "png"}, &shot)
	png, err := base64.StdEncoding.DecodeString(shot.Data)
	require.NoError(b.t, err)
	require.NoError(b.t, os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644))
}
