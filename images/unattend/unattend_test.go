package unattend_test

import (
	"encoding/xml"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/images/unattend"
)

const given = `<?xml version="1.0" encoding="utf-8"?>
<unattend xmlns="urn:schemas-microsoft-com:unattend">
  <!-- ours -->
  <settings pass="specialize">
    <component name="Microsoft-Windows-Shell-Setup" processorArchitecture="amd64" publicKeyToken="31bf3856ad364e35" language="neutral" versionScope="nonSxS">
      <ComputerName>OLD</ComputerName>
      <ShowWindowsLive>false</ShowWindowsLive>
      <OEMInformation><Model>%Model% &amp; more</Model></OEMInformation>
    </component>
    <component name="Microsoft-Windows-TCPIP" processorArchitecture="amd64"><Interfaces/></component>
  </settings>
  <settings pass="oobeSystem"><component name="Microsoft-Windows-Shell-Setup" processorArchitecture="amd64"><OOBE><ProtectYourPC>%Protect%</ProtectYourPC></OOBE></component></settings>
</unattend>`

// valid says whether namespaces and nesting are as they should be.
func valid(t *testing.T, text string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		token, err := d.Token()
		if token == nil {
			require.ErrorContains(t, err, "EOF")
			return
		}
		if s, ok := token.(xml.StartElement); ok {
			for _, a := range s.Attr {
				require.NotEqual(t, "wcm", a.Name.Space, "prefix without a name space at %s", s.Name.Local)
			}
		}
	}
}

func TestSetSystemOverWhatItHad(t *testing.T) {
	f, err := unattend.Read([]byte(given), "amd64")
	require.NoError(t, err)
	off := false
	s := unattend.System{ComputerName: "PC-1", Owner: "A & B", TimeZone: "W. Europe Standard Time", AdminPassword: "Secret1!", AdminEnabled: &off, UILanguage: "de-DE"}
	f.SetSystem(s)
	once := string(f.Bytes())
	valid(t, once)
	f.SetSystem(s)
	require.Equal(t, once, string(f.Bytes()), "twice is once")
	for _, want := range []string{"<!-- ours -->", "<ComputerName>PC-1</ComputerName>", "<ShowWindowsLive>false</ShowWindowsLive>", "<Model>%Model% &amp; more</Model>",
		"<RegisteredOwner>A &amp; B</RegisteredOwner>", "<TimeZone>W. Europe Standard Time</TimeZone>", "<PlainText>false</PlainText>", "| Disable-LocalUser", "<UILanguage>de-DE</UILanguage>",
		// The value that Windows System Image Manager writes for this password.
		"<Value>UwBlAGMAcgBlAHQAMQAhAEEAZABtAGkAbgBpAHMAdAByAGEAdABvAHIAUABhAHMAcwB3AG8AcgBkAA==</Value>"} {
		require.Contains(t, once, want)
	}
	for _, no := range []string{"OLD", "Secret1!", "ProductKey", "RegisteredOrganization", "InputLocale"} {
		require.NotContains(t, once, no)
	}
	again, err := unattend.Read([]byte(once), "amd64")
	require.NoError(t, err)
	require.Equal(t, once, string(again.Bytes()))
}

func TestSetNetwork(t *testing.T) {
	f, err := unattend.Read([]byte(given), "amd64")
	require.NoError(t, err)
	two, no := 2, false
	first := unattend.Network{Workgroup: "LAB", Adapters: []unattend.Adapter{{MAC: "02:00:00:00:00:0a", DHCP: true}}}
	f.SetNetwork(first)
	f.SetNetwork(unattend.Network{Domain: "lab.example", OU: "OU=PCs,DC=lab,DC=example", JoinUser: "join", JoinUserDomain: "LAB", JoinPassword: "pw", DNSDomain: "lab.example", SuffixSearch: []string{"a.example", "b.example"},
		Adapters: []unattend.Adapter{{MAC: "02:00:00:00:00:0b", Addresses: []string{"192.0.2.10/24", "2001:db8::5/64"}, Gateways: []string{"192.0.2.1"}, DNSServers: []string{"192.0.2.2", "192.0.2.3"},
			DNSDomain: "x.example", NetBIOSOptions: &two, RegisterDNS: &no}}})
	text := string(f.Bytes())
	valid(t, text)
	for _, want := range []string{"<Identifier>02-00-00-00-00-0B</Identifier>", "<DhcpEnabled>false</DhcpEnabled>", `<IpAddress wcm:action="add" wcm:keyValue="1">192.0.2.10/24</IpAddress>`,
		`<IpAddress wcm:action="add" wcm:keyValue="2">2001:db8::5/64</IpAddress>`, "<Prefix>0.0.0.0/0</Prefix><NextHopAddress>192.0.2.1</NextHopAddress>", "<NetbiosOptions>2</NetbiosOptions>",
		`<IpAddress wcm:action="add" wcm:keyValue="2">192.0.2.3</IpAddress>`, "<DisableDynamicUpdate>true</DisableDynamicUpdate>", `wcm:keyValue="2">b.example</DomainName>`,
		"<JoinDomain>lab.example</JoinDomain>", "<MachineObjectOU>OU=PCs,DC=lab,DC=example</MachineObjectOU>", "<Username>join</Username>"} {
		require.Contains(t, text, want)
	}
	require.NotContains(t, text, "0A</Identifier>", "the last one counts")
	require.NotContains(t, text, "JoinWorkgroup")
}

// TS-92: variables are replaced, but not in fields that hold numbers.
func TestTS92Expand(t *testing.T) {
	f, err := unattend.Read([]byte(given), "amd64")
	require.NoError(t, err)
	f.Expand(func(s string) string { return strings.NewReplacer("%Model%", "<T14>", "%Protect%", "3").Replace(s) })
	text := string(f.Bytes())
	require.Contains(t, text, "<Model>&lt;T14&gt; &amp; more</Model>")
	require.Contains(t, text, "<ProtectYourPC>%Protect%</ProtectYourPC>")
}

func TestReadUTF16(t *testing.T) {
	raw := []byte{0xFF, 0xFE}
	for _, u := range utf16.Encode([]rune(strings.Replace(given, "utf-8", "utf-16", 1))) {
		raw = append(raw, byte(u), byte(u>>8))
	}
	f, err := unattend.Read(raw, "amd64")
	require.NoError(t, err)
	require.Contains(t, string(f.Bytes()), "<ComputerName>OLD</ComputerName>")
}

func TestReadRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "cut": "<unattend><settings>", "crossed": "<a><b></a></b>", "two": "<a/><b/>", "bomb": `<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>`,
		"deep": strings.Repeat("<a>", 100) + strings.Repeat("</a>", 100), "large": "<a>" + strings.Repeat(" ", 5<<20) + "</a>", "text": "hello",
	} {
		_, err := unattend.Read([]byte(text), "amd64")
		require.Error(t, err, name)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(given))
	f.Add([]byte{0xFE, 0xFF, 0, '<', 0, 'a', 0, '/', 0, '>'})
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := unattend.Read(data, "amd64")
		if err != nil {
			return
		}
		file.SetSystem(unattend.System{ComputerName: "x"})
		again, err := unattend.Read(file.Bytes(), "amd64")
		require.NoError(t, err)
		require.Equal(t, string(file.Bytes()), string(again.Bytes()))
	})
}
