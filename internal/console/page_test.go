package console_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/internal/wire"
)

func httpClient(t *testing.T) *http.Client {
	t.Helper()
	return &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
}

// many are machines in every state, with names and messages longer than a phone is wide.
func many() []wire.MachineStatus {
	long := failed()
	long.Device, long.Name = "d3", "a-name-of-sixty-three-characters-which-dns-allows-and-no-screen"
	run := *long.Run
	run.Message = "unexpected end of /dev/disk/by-path/" + strings.Repeat("pci-0000:00:1f.2-ata-1-part1", 4)
	long.Run = &run
	booting := wire.MachineStatus{Device: "d4", Name: "lab-04", MAC: "52:54:00:00:00:04", Firmware: wire.UEFI, LastSeen: now,
		ServedText: "Required deployment BYD20000 is handed out (PXE-16)",
		Boot: &wire.Boot{Action: wire.ActionRun, Deployment: "BYD20000", Started: now, Last: now,
			Answers: []wire.BootAnswer{{Stage: wire.StageKernel, Answer: "file BYD00001/vmlinuz"}}}}
	ended := now.Add(-20 * time.Minute)
	done := wire.MachineStatus{Device: "d5", Name: "lab-05", MAC: "52:54:00:00:00:05", Firmware: wire.UEFI, LastSeen: ended,
		ServedText: "this deployment deployed the machine: the local disk is the answer (PXE-15a)",
		Run: &wire.RunInfo{Deployment: "BYD20000", SequenceName: "Deploy Debian", State: wire.RunSucceeded, Started: ended.Add(-7 * time.Minute), Ended: &ended,
			LastMessage: "the task sequence has ended"}}
	return []wire.MachineStatus{running(), failed(), long, booting, done, stranger()}
}

const article = `document.querySelector('[data-name="lab-01"]')`

func TestPageInABrowser(t *testing.T) {
	s := newSite(running())
	server := serve(t, s)
	b := startBrowser(t)
	b.size(1200, 800)
	b.open(server.URL + "/")
	b.picture("signin")
	signIn := func(token string) {
		b.eval(fmt.Sprintf(`document.querySelector("#token").value = %q; document.querySelector("form").submit()`, token))
	}
	signIn("bya_wrong")
	b.wait(`document.querySelector("[role=alert]") !== null`)
	signIn(goodToken)
	b.wait(article + ` !== null`)
	require.Equal(t, "", b.eval("document.cookie"), "scripts cannot read the token")
	b.wait(`document.querySelector("#link").textContent === "live"`)
	for _, want := range []string{"UEFI", "52:54:00:00:00:01", "running", "Deploy Debian", "BYD20000", "Apply operating system image", "4 of 8, 50%", "120 MB of 240 MB", "PXE-16"} {
		require.Contains(t, b.eval(article+`.innerText`), want)
	}

	// What changes on the site changes on the page that is open, and only that.
	b.eval(`window.sameDocument = true`)
	s.change(func() {
		s.machines = append(s.machines, stranger())
		run := *s.machines[0].Run
		run.Step, run.Current, run.Percent, run.LastMessage = "Set up OS and agent", 5, 0, "agent installed"
		s.machines[0].Run = &run
	})
	b.wait(article + `.innerText.includes("Set up OS and agent")`)
	b.wait(article + `.querySelector("progress").value === 50`)
	require.Contains(t, b.eval(`document.querySelectorAll("article")[1].innerText`), "switch unknown computers on (PXE-13)")
	b.eval(`window.other = document.querySelectorAll("article")[1]`)
	s.change(func() {
		run, ended := *s.machines[0].Run, now
		run.State, run.Ended = wire.RunSucceeded, &ended
		s.machines[0].Run = &run
	})
	b.wait(article + `.dataset.state === "succeeded"`)
	require.Equal(t, true, b.eval(`window.sameDocument && window.other === document.querySelectorAll("article")[1]`), "no reload, and what did not change stays")

	// A machine that is gone goes; one whose text is hostile stays text.
	s.change(func() {
		m := failed()
		m.Name = `<b onclick="x">lab-02</b>`
		s.machines = []wire.MachineStatus{m}
	})
	b.wait(article + ` === null && document.querySelectorAll("article").length === 1`)
	require.Contains(t, b.eval(`document.querySelector("article h2").textContent`), "<b onclick")

	s.change(func() { s.revoked = true })
	b.wait(`document.querySelector("#link").textContent.includes("reload")`)
	b.open(server.URL + "/")
	require.Equal(t, true, b.eval(`document.querySelector("#token") !== null`), "a revoked token has to sign in again")
}

func TestPageFitsPhonesAndScreens(t *testing.T) {
	s := newSite(many()...)
	server := serve(t, s)
	b := startBrowser(t)
	b.open(server.URL + "/")
	b.eval(fmt.Sprintf(`document.querySelector("#token").value = %q; document.querySelector("form").submit()`, goodToken))
	b.wait(`document.querySelectorAll("article").length === 6`)
	for _, width := range []int{320, 400, 768, 1024, 1600} {
		for _, scheme := range []string{"light", "dark"} {
			t.Run(fmt.Sprintf("%d %s", width, scheme), func(t *testing.T) {
				b.size(width, 900)
				b.scheme(scheme)
				b.wait(fmt.Sprintf("window.innerWidth === %d", width))
				require.EqualValues(t, width, b.eval("document.scrollingElement.scrollWidth"), "nothing is wider than the screen")
				require.Equal(t, "", b.eval(`[...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > innerWidth + 0.5).map(e => e.className || e.tagName).join(" ")`))
				require.Equal(t, "", b.eval(`[...document.querySelectorAll("article *")].filter(e => e.getBoundingClientRect().right > e.closest("article").getBoundingClientRect().right).map(e => e.className || e.tagName).join(" ")`))
				dark := b.eval(`getComputedStyle(document.body).backgroundColor`) == "rgb(20, 23, 27)"
				require.Equal(t, scheme == "dark", dark)
				b.picture(fmt.Sprintf("page-%d-%s", width, scheme))
			})
		}
	}
}
