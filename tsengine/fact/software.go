package fact

import "strings"

// Code is the one spelling of a product or upgrade code: upper case without braces.
func Code(s string) string {
	return strings.ToUpper(strings.Trim(strings.TrimSpace(s), "{}"))
}

// software reads products: a list of maps, of codes or of names, or a map of code or name to what is known.
func (s *Sheet) software(t *tree) error {
	if s.Software == nil {
		s.Software = []Product{}
	}
	switch {
	case t.null():
		return nil
	case t.kind == list:
		for _, one := range t.list {
			if err := s.product("", one); err != nil {
				return err
			}
		}
		return nil
	case t.kind == mapping:
		for _, e := range t.entries {
			if err := s.product(e.key, e.value); err != nil {
				return err
			}
		}
		return nil
	}
	return wrong(t.line, "software must be a list of products")
}

// product reads one product. label is its key in a map: a product code, or a name.
func (s *Sheet) product(label string, t *tree) error {
	var p Product
	p.label(label)
	switch {
	case t.kind == scalar && label == "":
		p.label(t.text)
	case t.null():
	case t.kind == scalar:
		if there, ok := t.value.(bool); ok {
			if !there {
				return nil
			}
		} else if p.Name == "" && !startsWithDigit(t.text) {
			p.Name = t.text
		} else {
			p.Version = t.text
		}
	default:
		f, err := fields(t, "productCode|code|identifyingNumber", "upgradeCode", "name|productName|displayName", "version|displayVersion", "vendor|publisher")
		if err != nil {
			return err
		}
		for name, to := range map[string]*string{"productCode": &p.ProductCode, "upgradeCode": &p.UpgradeCode, "name": &p.Name, "version": &p.Version} {
			if f[name] != nil && f[name].kind != scalar {
				return wrong(f[name].line, "%s is %s, it must be one value", name, f[name].kind)
			}
			if v := textOf(f[name]); v != "" {
				*to = v
			}
		}
	}
	if p == (Product{}) {
		return wrong(t.line, "a product needs a productCode, an upgradeCode or a name")
	}
	s.Software = append(s.Software, p)
	return nil
}

func (p *Product) label(s string) {
	if s = strings.TrimSpace(s); len(Code(s)) == 36 && strings.Count(s, "-") == 4 {
		p.ProductCode = s
	} else {
		p.Name = s
	}
}

func startsWithDigit(s string) bool { return s != "" && s[0] >= '0' && s[0] <= '9' }
