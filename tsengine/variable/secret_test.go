package variable_test

import (
	"fmt"
	"math/rand"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bootyard/bootyard/tsengine/variable"
)

// slowMask is what Mask has to do, by the standard library: the longest secret first, short ones between quotes.
func slowMask(secrets []string, text string) string {
	sort.Slice(secrets, func(i, j int) bool { return len(secrets[i]) > len(secrets[j]) })
	var pairs []string
	for _, s := range secrets {
		if s == text {
			return variable.Mask
		}
		if len(s) >= 4 {
			pairs = append(pairs, s, variable.Mask)
		}
	}
	for _, s := range secrets {
		if len(s) < 4 {
			pairs = append(pairs, `"`+s+`"`, `"`+variable.Mask+`"`, `'`+s+`'`, `'`+variable.Mask+`'`)
		}
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// TS-93: however secrets lie in each other and in the text, the text is masked as by a plain replacement.
func TestTS93MaskOfManySecrets(t *testing.T) {
	dice := rand.New(rand.NewSource(93))
	word := func(most int) string {
		b := make([]byte, 1+dice.Intn(most))
		for i := range b {
			b[i] = `ab"'`[dice.Intn(4)]
		}
		return string(b)
	}
	for range 5000 {
		e := variable.New()
		var secrets []string
		for range 1 + dice.Intn(8) {
			s := word(7)
			e.AddSecret(s)
			secrets = append(secrets, s)
		}
		text := word(40)
		require.Equal(t, slowMask(secrets, text), e.Mask(text), "%q of %q", text, secrets)
		require.NoError(t, e.Set("V", text))
		carries := false
		for _, s := range secrets {
			carries = carries || s == text || len(s) >= 4 && strings.Contains(text, s)
		}
		require.Equal(t, carries, e.Secret("V"))
	}
}

func TestChanges(t *testing.T) {
	e := variable.New()
	require.NoError(t, e.Set("Same", "1"))
	require.NoError(t, e.Set("Gone", "1"))
	require.NoError(t, e.Set("Name", "1"))
	require.NoError(t, e.Set("Told", "quite secret"))
	list := e.Changes(func() {
		require.NoError(t, e.Set("Same", "2"))
		require.NoError(t, e.Set("Same", "1"))
		require.NoError(t, e.Set("gone", ""))
		require.NoError(t, e.Set("Never", ""))
		require.NoError(t, e.Set("NAME", "2"))
		require.NoError(t, e.Set("JoinPassword", "quite secret"))
	})
	require.Equal(t, []variable.Change{{Name: "Gone", Deleted: true}, {Name: "JoinPassword", Value: variable.Mask}, {Name: "Name", Value: "2"}}, list)
	require.True(t, e.Secret("Told"), "TS-93: it carries what was learnt later")
	require.Empty(t, e.Changes(func() { require.NoError(t, e.Set("JoinPassword", "another one")) }), "both look alike")
}

// BenchmarkSecrets sets secrets and logs a line after each. Four times as many take four times as long.
func BenchmarkSecrets(b *testing.B) {
	for _, n := range []int{1000, 4000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				e := variable.New()
				for i := range n {
					_ = e.Set(fmt.Sprintf("Plain%d", i), "an ordinary value of some length")
					_ = e.SetSecret(fmt.Sprintf("V%d", i), fmt.Sprintf("value-%d-of-many", i))
					if strings.Contains(e.Mask(fmt.Sprintf("the password is value-%d-of-many", i)), "value") {
						b.Fatal("not masked")
					}
				}
			}
		})
	}
}
