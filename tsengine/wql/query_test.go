package wql_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine/wql"
)

// instance is a fake instance; its names are lower case.
type instance map[string]any

func (i instance) Property(name string) (any, bool) {
	v, ok := i[strings.ToLower(name)]
	return v, ok
}

var computer = instance{
	"model": "Latitude 7420", "manufacturer": "Dell Inc.", "memory": int64(17179869184), "huge": uint64(1<<64 - 1), "near": int64(1<<53 + 1),
	"build": "9600", "on": true, "off": false, "none": nil, "types": []any{int64(8), int64(10)}, "names": []any{"a", "b"}, "real": 1.5,
	"negative": int64(-3), "date": "20240506080809.000000+060", "path": `C:\Dir\50%_[x]`, "quote": `it's "so"`, "empty": "", "other": "latitude 7420",
	"flag": "TRUE",
}

// TS-74: what WHERE means.
func TestTS74Where(t *testing.T) {
	for where, want := range map[string]bool{
		`Model = 'Latitude 7420'`:                     true,
		`MODEL="LATITUDE 7420"`:                       true, // neither names nor text have a case
		`Model <> 'Latitude 7420'`:                    false,
		`Model != "x"`:                                true,
		`'Latitude 7420' = Model`:                     true,
		`10 < memory`:                                 true,
		`10 > memory`:                                 false,
		`10 <= memory`:                                true,
		`10 >= memory`:                                false,
		`Memory > 8589934592`:                         true,
		`Memory>=17179869184 and Memory<=17179869184`: true,
		`Memory = '17179869184'`:                      true,
		`Memory < 0x10`:                               false,
		`Huge = 18446744073709551615`:                 true,
		`Huge > 9223372036854775807`:                  true,
		`Near = 9007199254740992`:                     false, // exact where a float is not
		`Build >= '17763'`:                            true,  // the property is text: "9" > "1"
		`Build >= 17763`:                              false, // the constant is a number
		`Real = 1.5 AND Real < 1.6e0`:                 true,
		`Negative = -3`:                               true,
		`Negative < -2`:                               true,
		`On = TRUE`:                                   true,
		`On = true AND Off = FALSE`:                   true,
		`On = 1`:                                      true,
		`On = 'true'`:                                 true,
		`On <> FALSE`:                                 true,
		`Off = 0`:                                     true,
		`Flag = TRUE`:                                 true,
		`None IS NULL`:                                true,
		`None is not null`:                            false,
		`None = NULL`:                                 true,
		`None <> NULL`:                                false,
		`Model = NULL`:                                false,
		`Model != NULL`:                               true,
		`Gone IS NULL`:                                true,
		`None = 'x'`:                                  false,
		`None <> 'x'`:                                 false,
		`None < 5`:                                    false,
		`Empty = ''`:                                  true,
		`Types = 10`:                                  true, // any element
		`Types = '8'`:                                 true,
		`Types = 9`:                                   false,
		`Types = 9 OR Types = 10`:                     true,
		`Types[0] = 8`:                                true,
		`Types[1] = 8`:                                false,
		`Types[7] = 8`:                                false,
		`Types IS NOT NULL`:                           true,
		`Names LIKE 'B%'`:                             true,
		`Date = '20240506070809.000000+000'`:          true, // one moment in two zones
		`Date > '20240506070808.000000+000'`:          true,
		`Date > '2024'`:                               true,
		`Path = 'C:\\Dir\\50%_[x]'`:                   true,
		`Path LIKE 'C:\\Dir\\%'`:                      true,
		`Path = 'C:\Dir\50%_[x]'`:                     true, // a backslash before a letter is itself
		`Quote = 'it\'s "so"'`:                        true,
		`Quote = "it's \"so\""`:                       true,
		`Model = Other`:                               true,
		`Win32_Computer.Model = 'latitude 7420'`:      true,
		`__CLASS = 'win32_computer'`:                  true,
		`__CLASS ISA "Win32_Computer"`:                true,
		`__this ISA 'Win32_Moon'`:                     false,
		// NOT binds before AND, AND before OR
		`NOT Model = 'x' AND On = TRUE`:              true,
		`NOT (Model = 'Latitude 7420' OR On = TRUE)`: false,
		`not not On = true`:                          true,
		`On = TRUE OR On = FALSE AND Off = TRUE`:     true,
		`(On = TRUE OR On = FALSE) AND Off = TRUE`:   false,
		`((((On = TRUE))))`:                          true,
		`Model NOT LIKE 'Opti%'`:                     true,
		"Model\r\n\tLIKE\n'Lat%'":                    true,
	} {
		q, err := wql.Parse("SELECT * FROM Win32_Computer WHERE " + where)
		require.NoError(t, err, where)
		require.Equal(t, want, q.Matches(computer), where)
	}
}

func TestLike(t *testing.T) {
	for _, c := range []struct {
		value, pattern string
		want           bool
	}{
		{"Latitude 7420", "%latitude%", true}, {"Latitude", "Lat", false}, {"", "%", true}, {"", "", true}, {"", "_", false}, {"a", "", false},
		{"10.0.19045", "10.0.[1-9][0-9][0-9][0-9][0-9]", true}, {"10.0.9999", "10.0.[1-9][0-9][0-9][0-9][0-9]", false},
		{"6.1", "[1-9][0-9].%", false}, {"10.0", "[1-9][0-9].%", true}, {"bat", "[abc]at", true}, {"rat", "[^abc]at", true}, {"cat", "[^abc]at", false},
		{"CAT", "[a-f]at", true}, {"50%", "50[%]", true}, {"50x", "50[%]", false}, {"a_b", "a[_]b", true}, {"a]b", "a[]]b", true}, {"a[b", "a[b", true},
		{"a-b", "a[x-]b", true}, {"aXbXc", "a_b_c", true}, {"abcabd", "%ab_", true}, {"abcabd", "%%%d%%", true}, {"mississippi", "%iss%ip%i", true}, {"grün", "GR_N", true},
	} {
		require.Equal(t, c.want, wql.Like(c.value, c.pattern), "%q like %q", c.value, c.pattern)
	}
	start := time.Now()
	require.False(t, wql.Like(strings.Repeat("a", 16000), strings.Repeat("%a", 4000)+"b"))
	require.Less(t, time.Since(start), 10*time.Second)
}

func TestParseSelect(t *testing.T) {
	for query, columns := range map[string][]string{
		"SELECT * FROM Win32_A": nil, " select\t*\nfrom win32_a ; ": nil, "SELECT Name FROM A": {"Name"},
		"select __relpath from win32_process where caption = 'explorer.exe'": {"__relpath"},
		"SELECT A.Name, Version FROM A":                                      {"A.Name", "Version"}, "\ufeffSELECT * FROM A": nil,
	} {
		q, err := wql.Parse(query)
		require.NoError(t, err, query)
		require.Equal(t, columns, q.Columns, query)
	}
	q, err := wql.Parse("SELECT * FROM A WHERE B = 1 AND C LIKE 'x' OR B IS NULL")
	require.NoError(t, err)
	require.Equal(t, []string{"B", "C", "B"}, q.Properties())
	require.Equal(t, "A", q.Class)
}

// TS-23: a bad query is an error that says where.
func TestTS23BadQuery(t *testing.T) {
	for query, column := range map[string]int{
		"": 1, "   ": 1, "SELECT": 7, "DELETE FROM A": 1, "SELECT FROM A": 8, "SELECT * A": 10, "SELECT * FROM": 14, "SELECT * FROM 5": 15,
		"SELECT * FROM A WHERE": 22, "SELECT * FROM A WHERE B": 24, "SELECT * FROM A WHERE B =": 26, "SELECT * FROM A WHERE B = 'x": 27,
		"SELECT * FROM A WHERE (B = 1": 29, "SELECT * FROM A WHERE B = 1)": 28, "SELECT * FROM A WHERE B = 1 C = 2": 29, "SELECT * FROM A WHERE 1 = 1": 25,
		"SELECT * FROM A WHERE B LIKE 5": 25, "SELECT * FROM A WHERE B IS 5": 28, "SELECT * FROM A WHERE B & 1": 25, "SELECT * FROM A WHERE AND B = 1": 23,
		"SELECT * FROM A WHERE B = 1 AND": 32, "SELECT * FROM A WHERE B = 1 OR 9": 33, "SELECT * FROM A WHERE B = 1x2": 27, "SELECT * FROM A WHERE B[x] = 1": 25,
		"SELECT * FROM A WHERE B = %Name%": 27, "SELECT * FROM A WHERE B NOT = 1": 29, "SELECT *, FROM A": 9,
		"SELECT * FROM A WHERE " + strings.Repeat("(", 200) + "B = 1": 123, strings.Repeat("x", 16385): 16384,
	} {
		_, err := wql.Parse(query)
		var e *wql.Error
		require.ErrorAs(t, err, &e, query)
		require.Equal(t, column, e.Column, "%.60s: %v", query, err)
		require.Contains(t, err.Error(), fmt.Sprintf("column %d: ", column))
	}
}

// TS-76: correct queries that no sheet can answer are no errors of the sequence's author.
func TestTS76Unsupported(t *testing.T) {
	for _, query := range []string{
		"ASSOCIATORS OF {Win32_LogicalDisk.DeviceID='C:'} WHERE AssocClass = X", "references of {Win32_A='b'}", "SELECT COUNT(*) FROM A",
		"SELECT * FROM __InstanceCreationEvent WITHIN 5 WHERE TargetInstance ISA 'A'", "SELECT * FROM meta_class",
	} {
		_, err := wql.Parse(query)
		require.ErrorIs(t, err, wql.ErrUnsupported, query)
	}
	_, err := wql.Parse("ASSOCIATORS OF {A")
	require.Error(t, err)
	require.NotErrorIs(t, err, wql.ErrUnsupported)
}

func TestDeepAndWide(t *testing.T) {
	_, err := wql.Parse("SELECT * FROM A WHERE " + strings.Repeat("NOT ", 4000) + "B = 1")
	require.NoError(t, err)
	q, err := wql.Parse("SELECT * FROM A WHERE " + strings.Repeat("B=1 OR ", 2000) + "B = 2")
	require.NoError(t, err)
	require.True(t, q.Matches(instance{"b": int64(2)}))
}

func FuzzParse(f *testing.F) {
	f.Add("SELECT * FROM A WHERE B LIKE '%x[a-f]_' AND NOT (C >= 5 OR 'x' = D) AND E IS NOT NULL AND F[1] <> TRUE", `{"b":"x","c":5,"e":[1,"a",null],"f":true}`)
	f.Add("ASSOCIATORS OF {A='b'}", "{}")
	f.Add("SELECT a.b, c FROM A WHERE a.b ISA \"x\\\"\" OR d = 0x10 OR e < 1e300 OR f = '20240506080809.000000+060'", `{"f":"20240506080809.000000+060","d":16.0}`)
	f.Fuzz(func(t *testing.T, query, properties string) {
		q, err := wql.Parse(query)
		if err != nil {
			require.LessOrEqual(t, len(err.Error()), len(query)*4+300)
			return
		}
		i := instance{}
		_ = json.Unmarshal([]byte(properties), &i)
		for name, v := range i {
			if _, ok := v.(map[string]any); ok {
				delete(i, name)
			}
		}
		require.Equal(t, q.Matches(i), q.Matches(i))
	})
}

func FuzzLike(f *testing.F) {
	f.Add("Latitude", "%[a-f]_%")
	f.Add("a[b", "a[b")
	f.Fuzz(func(t *testing.T, value, pattern string) {
		wql.Like(value, pattern)
		require.True(t, wql.Like(value, "%"))
		if !strings.ContainsAny(value, "%_[") {
			require.True(t, wql.Like(value, value))
		}
	})
}
