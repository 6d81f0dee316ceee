package inf

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxModels bounds the ids of one driver.
const maxModels = 50000

// Driver is what an INF file says of itself.
type Driver struct {
	Class    string // such as Net
	Provider string
	Catalog  string    // file of its signature; empty: none is named
	Date     time.Time // zero: not told
	Version  string    // such as 1.2.3.4
	Models   []Model
}

// Model is a device that the driver serves.
type Model struct {
	Name string // for people
	ID   string // hardware or compatible id
	Arch string // GOARCH
	// Build is the least build of Windows; 0 is any.
	Build int
}

// Parse reads an INF file. A file that is no driver's is ErrNotDriver.
func Parse(data []byte) (Driver, error) {
	d, err := read(data)
	if err != nil {
		return Driver{}, err
	}
	out := Driver{Class: d.value("version", "Class"), Provider: d.value("version", "Provider"), Catalog: d.catalog()}
	for _, l := range d.sections["version"] {
		if strings.EqualFold(l.key, "DriverVer") && len(l.values) > 0 {
			out.Date, _ = time.Parse("1/2/2006", strings.ReplaceAll(d.expand(l.values[0]), "-", "/"))
			if len(l.values) > 1 {
				out.Version = d.expand(l.values[1])
			}
		}
	}
	for _, l := range d.sections["manufacturer"] {
		name, decorations := d.expand(l.key), []string(nil)
		if len(l.values) > 0 && l.values[0] != "" {
			name = d.expand(l.values[0])
			decorations = l.values[1:]
		}
		out.Models = append(out.Models, d.models(name, "")...)
		for _, decoration := range decorations {
			if decoration = strings.TrimSpace(d.expand(decoration)); decoration != "" {
				out.Models = append(out.Models, d.models(name+"."+decoration, decoration)...)
			}
		}
	}
	if out.Models = unique(out.Models); len(out.Models) == 0 {
		return out, ErrNotDriver
	}
	return out, nil
}

// catalog is CatalogFile, or that of a platform.
func (d *document) catalog() string {
	for _, key := range []string{"CatalogFile", "CatalogFile.NTamd64", "CatalogFile.NTarm64", "CatalogFile.NT", "CatalogFile.NTx86"} {
		if v := d.value("version", key); v != "" {
			return v
		}
	}
	return ""
}

// models reads a section of devices: name = install section, hardware id, compatible ids.
func (d *document) models(section, decoration string) []Model {
	arch, build, ok := platform(decoration)
	if !ok {
		return nil
	}
	var list []Model
	for _, l := range d.sections[strings.ToLower(section)] {
		for _, id := range l.values[min(1, len(l.values)):] {
			id = strings.TrimSpace(d.expand(id))
			if id == "" || len(id) > 200 || len(list) >= maxModels {
				continue
			}
			list = append(list, Model{Name: d.expand(l.key), ID: id, Arch: arch, Build: build})
		}
	}
	return list
}

// architectures are those of decorations. One without any is of 32-bit Windows.
var architectures = map[string]string{"": "386", "x86": "386", "amd64": "amd64", "arm64": "arm64", "arm": "arm", "ia64": "ia64"}

// platform reads NT<architecture>.<major>.<minor>.<product>.<suite>.<build>. What is not for a client or a server of an
// architecture that is known is not ok.
func platform(decoration string) (arch string, build int, ok bool) {
	parts := strings.Split(strings.ToLower(decoration), ".")
	if !strings.HasPrefix(parts[0], "nt") && decoration != "" {
		return "", 0, false
	}
	arch, ok = architectures[strings.TrimPrefix(parts[0], "nt")]
	if len(parts) > 5 {
		build, _ = strconv.Atoi(parts[5])
	}
	if len(parts) > 1 && build == 0 {
		build = least(parts[1:])
	}
	return arch, build, ok
}

// least is the first build of a version of Windows, 0 for those before Windows 10.
func least(version []string) int {
	const windows10 = 10240
	if major, err := strconv.Atoi(version[0]); err == nil && major >= 10 {
		return windows10
	}
	return 0
}

// unique keeps the first of models with one id for one platform.
func unique(list []Model) []Model {
	type place struct {
		id, arch string
		build    int
	}
	seen := map[place]bool{}
	list = slices.DeleteFunc(list, func(m Model) bool {
		p := place{strings.ToLower(m.ID), m.Arch, m.Build}
		known := seen[p]
		seen[p] = true
		return known
	})
	return list[:min(len(list), maxModels)]
}
