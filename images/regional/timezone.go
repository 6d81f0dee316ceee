package regional

import "strings"

// Zone is the IANA name of a Windows time zone (its registry key, such as "W. Europe Standard Time"). A name that is
// already an IANA name, with a slash, or UTC, is given back as it is; ok is false for any other.
func Zone(name string) (iana string, ok bool) {
	name = strings.TrimSpace(name)
	for _, z := range windowsZones() {
		if strings.EqualFold(z[0], name) {
			return z[1], true
		}
	}
	if area, place, found := strings.Cut(name, "/"); found && area != "" && place != "" && zoneName(name) {
		return name, true
	}
	return "", false
}

// zoneName keeps a name from leading out of the folder of the zones.
func zoneName(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || strings.Trim(part, ".") == "" {
			return false
		}
		for _, c := range part {
			if c != '_' && c != '-' && c != '+' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
				return false
			}
		}
	}
	return true
}

// WindowsZone is the Windows name of an IANA zone. Zones that Windows does not list by themselves are found by aliases that
// share their rules; empty when there is none.
func WindowsZone(iana string) string {
	iana = strings.TrimSpace(iana)
	if other := zoneAliases()[iana]; other != "" {
		iana = other
	}
	for _, z := range windowsZones() {
		if z[1] == iana {
			return z[0]
		}
	}
	return ""
}

// zoneAliases are other names, and the capitals and large cities that share the rules of the zone that the table has.
func zoneAliases() map[string]string {
	out := map[string]string{}
	for zone, names := range map[string]string{
		"Etc/UTC":                        "UTC Etc/UCT Etc/Universal Etc/Zulu Zulu Universal Etc/GMT GMT",
		"Europe/London":                  "Europe/Dublin Europe/Lisbon Europe/Belfast Europe/Jersey Europe/Guernsey Europe/Isle_of_Man GB Eire",
		"Europe/Berlin":                  "Europe/Vienna Europe/Zurich Europe/Amsterdam Europe/Rome Europe/Stockholm Europe/Oslo Europe/Luxembourg Europe/Monaco Europe/Vaduz Europe/Malta Europe/San_Marino Europe/Vatican Europe/Andorra Europe/Gibraltar Europe/Busingen",
		"Europe/Paris":                   "Europe/Madrid Europe/Brussels Europe/Copenhagen Africa/Ceuta",
		"Europe/Budapest":                "Europe/Prague Europe/Bratislava Europe/Belgrade Europe/Ljubljana Europe/Podgorica Europe/Tirane",
		"Europe/Warsaw":                  "Europe/Zagreb Europe/Sarajevo Europe/Skopje Poland",
		"Europe/Kiev":                    "Europe/Kyiv Europe/Helsinki Europe/Riga Europe/Tallinn Europe/Vilnius Europe/Sofia Europe/Mariehamn",
		"Europe/Bucharest":               "Europe/Athens Asia/Nicosia",
		"America/New_York":               "America/Detroit America/Toronto America/Montreal US/Eastern America/Nassau",
		"America/Chicago":                "America/Winnipeg US/Central America/Matamoros",
		"America/Denver":                 "America/Edmonton America/Boise US/Mountain",
		"America/Los_Angeles":            "America/Vancouver America/Tijuana US/Pacific",
		"America/Godthab":                "America/Nuuk",
		"America/Bogota":                 "America/Lima America/Guayaquil America/Panama America/Jamaica",
		"America/Argentina/Buenos_Aires": "America/Buenos_Aires",
		"America/Indiana/Indianapolis":   "America/Indianapolis",
		"Asia/Kolkata":                   "Asia/Calcutta",
		"Asia/Kathmandu":                 "Asia/Katmandu",
		"Asia/Yangon":                    "Asia/Rangoon",
		"Asia/Shanghai":                  "Asia/Hong_Kong Asia/Macau Asia/Chongqing PRC",
		"Asia/Tokyo":                     "Japan",
		"Asia/Singapore":                 "Asia/Kuala_Lumpur Asia/Manila",
		"Asia/Bangkok":                   "Asia/Jakarta Asia/Ho_Chi_Minh Asia/Saigon Asia/Phnom_Penh Asia/Vientiane",
		"Asia/Dubai":                     "Asia/Muscat",
		"Asia/Riyadh":                    "Asia/Kuwait Asia/Qatar Asia/Bahrain Asia/Aden",
		"Australia/Sydney":               "Australia/Melbourne Australia/Canberra Australia/ACT Australia/NSW",
		"Pacific/Auckland":               "Antarctica/McMurdo NZ",
		"Africa/Johannesburg":            "Africa/Harare Africa/Maputo Africa/Lusaka Africa/Gaborone",
		"Africa/Lagos":                   "Africa/Algiers Africa/Tunis Africa/Kinshasa Africa/Luanda",
		"Africa/Nairobi":                 "Africa/Addis_Ababa Africa/Kampala Africa/Dar_es_Salaam",
	} {
		for name := range strings.FieldsSeq(names) {
			out[name] = zone
		}
	}
	return out
}
