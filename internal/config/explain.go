package config

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
)

// Explain prints the completed configuration and says in words what it will do
// to the network it is on.
func (c *Config) Explain() (string, error) {
	data, err := yaml.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("print configuration: %w", err)
	}
	on := strings.Join(c.DHCP.Interfaces, ", ")
	words := map[string]string{
		DHCPOff:    "bootyard answers no DHCP and changes nothing on the network; machines start from media it made.",
		DHCPProxy:  "bootyard gives no addresses. Beside the DHCP server that is there it tells machines on " + on + " which loader to fetch, and only machines it has a deployment for.",
		DHCPServer: "bootyard is the DHCP server on " + on + " and gives an address to every machine there. It refuses to start beside another DHCP server.",
	}[c.DHCP.Mode]
	unknown := "Machines it does not know are not served, unless 'bootyard settings set --unknown-computers' said so."
	if c.PXE.UnknownComputers != nil && *c.PXE.UnknownComputers {
		unknown = "Machines it does not know are served too, from the collection All Unknown Computers."
	}
	return fmt.Sprintf("%s\n%s\n%s", strings.TrimRight(string(data), "\n"), words, unknown), nil
}
