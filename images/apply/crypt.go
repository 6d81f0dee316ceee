package apply

import (
	"crypto/rand"
	"crypto/sha512"
	"strconv"
	"strings"
)

// cryptRounds is the number of rounds of a new password: the specification's default is 5000, which is too quick today.
const cryptRounds = 50000

// itoa64 are the digits of crypt(3).
const itoa64 = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// hashPassword makes an entry of /etc/shadow by SHA-512 (crypt(5), $6$), which every Linux system understands.
func hashPassword(password string) string {
	raw := make([]byte, 16)
	_, _ = rand.Read(raw) // never fails on supported systems
	salt := make([]byte, len(raw))
	for i, b := range raw {
		salt[i] = itoa64[b&63]
	}
	return sha512crypt(password, string(salt), cryptRounds)
}

// sha512crypt follows "Unix crypt using SHA-256 and SHA-512" (U. Drepper, 2007), whose numbered steps it names.
func sha512crypt(password, salt string, rounds int) string {
	key, s := []byte(password), []byte(salt)
	b := sha512.New() // 4-8
	b.Write(key)
	b.Write(s)
	b.Write(key)
	digestB := b.Sum(nil)
	a := sha512.New() // 1-3
	a.Write(key)
	a.Write(s)
	a.Write(repeated(digestB, len(key))) // 9-10
	for n := len(key); n > 0; n >>= 1 {  // 11
		if n&1 != 0 {
			a.Write(digestB)
		} else {
			a.Write(key)
		}
	}
	digest := a.Sum(nil)
	p := sha512.New() // 13-16
	for range key {
		p.Write(key)
	}
	keys := repeated(p.Sum(nil), len(key))
	d := sha512.New() // 17-20
	for range 16 + int(digest[0]) {
		d.Write(s)
	}
	salts := repeated(d.Sum(nil), len(s))
	for i := range rounds { // 21
		c := sha512.New()
		if i&1 != 0 {
			c.Write(keys)
		} else {
			c.Write(digest)
		}
		if i%3 != 0 {
			c.Write(salts)
		}
		if i%7 != 0 {
			c.Write(keys)
		}
		if i&1 != 0 {
			c.Write(digest)
		} else {
			c.Write(keys)
		}
		digest = c.Sum(nil)
	}
	return "$6$rounds=" + strconv.Itoa(rounds) + "$" + salt + "$" + encode64(digest)
}

func repeated(digest []byte, n int) []byte {
	out := make([]byte, 0, n+len(digest))
	for len(out) < n {
		out = append(out, digest...)
	}
	return out[:n]
}

// encode64 writes the digest in the order of step 22: three bytes at a distance of 21, turning by one each time.
func encode64(d []byte) string {
	var out strings.Builder
	put := func(b2, b1, b0 byte, n int) {
		w := uint32(b2)<<16 | uint32(b1)<<8 | uint32(b0)
		for range n {
			out.WriteByte(itoa64[w&63])
			w >>= 6
		}
	}
	x, y, z := 0, 21, 42
	for range 21 {
		put(d[x], d[y], d[z], 4)
		x, y, z = y+1, z+1, x+1
	}
	put(0, 0, d[63], 2)
	return out.String()
}
