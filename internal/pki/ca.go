package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/bootyard/bootyard/internal/atomicfile"
)

const (
	serverLifetime = 90 * 24 * time.Hour
	renewBefore    = 30 * 24 * time.Hour
	// backdate allows for clocks that are a little behind the appliance's.
	backdate = 24 * time.Hour
)

// The CA's certificate has no date that could be wrong: agents trust its key,
// which the boot arguments and media pin, and the clock of the first start may
// have been off by decades. 9999 means "no end" (RFC 5280 section 4.1.2.5).
var (
	caNotBefore = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	caNotAfter  = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
)

// Authority is the certificate authority of one appliance. It is safe for
// concurrent use once opened.
type Authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

// Open reads the authority from dir or makes it there on first use: ca.pem
// (0644) and ca.key (0600). A half-written pair cannot occur: the key is put in
// place first and a lone key is taken up again.
func Open(dir string) (*Authority, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make folder for the CA: %w", err)
	}
	key, err := openKey(filepath.Join(dir, "ca.key"))
	if err != nil {
		return nil, err
	}
	a := &Authority{dir: dir, key: key}
	certFile := filepath.Join(dir, "ca.pem")
	if a.pem, err = os.ReadFile(certFile); errors.Is(err, fs.ErrNotExist) {
		if a.pem, err = a.selfSign(); err == nil {
			err = atomicfile.Write(certFile, a.pem, 0o644)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("CA certificate: %w", err)
	}
	block, _ := pem.Decode(a.pem)
	if block == nil {
		return nil, fmt.Errorf("%s holds no certificate: restore it from a backup, or move ca.pem and ca.key away to start a new CA (media made so far stop working)", certFile)
	}
	if a.cert, err = x509.ParseCertificate(block.Bytes); err != nil {
		return nil, fmt.Errorf("parse %s: %w", certFile, err)
	}
	if pub, ok := a.cert.PublicKey.(*ecdsa.PublicKey); !ok || !pub.Equal(&key.PublicKey) {
		return nil, fmt.Errorf("%s and ca.key do not belong together: restore both from one backup", certFile)
	}
	return a, nil
}

// PEM is the CA certificate as agents get it in the site archive.
func (a *Authority) PEM() []byte { return slices.Clone(a.pem) }

// SPKI is the SHA-256 of the CA's public key (SubjectPublicKeyInfo), base64url
// without padding: wire.ArgCA.
func (a *Authority) SPKI() string {
	sum := sha256.Sum256(a.cert.RawSubjectPublicKeyInfo)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Server returns a certificate for the given names and addresses, made anew
// when the stored one is about to expire or lacks a name.
func (a *Authority) Server(names []string, addrs []net.IP, now time.Time) (tls.Certificate, error) {
	file := filepath.Join(a.dir, "server.pem")
	if c, err := tls.LoadX509KeyPair(file, file); err == nil && a.stillGood(c, names, addrs, now) {
		return c, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make server key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make serial number: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "bootyard appliance"},
		NotBefore:    now.Add(-backdate),
		NotAfter:     now.Add(serverLifetime),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:     names,
		IPAddresses:  addrs,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("sign server certificate: %w", err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("encode server key: %w", err)
	}
	bundle := slices.Concat(
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		a.pem,
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
	if err := atomicfile.Write(file, bundle, 0o600); err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(bundle, bundle)
}

func (a *Authority) stillGood(c tls.Certificate, names []string, addrs []net.IP, now time.Time) bool {
	if c.Leaf == nil || now.Add(renewBefore).After(c.Leaf.NotAfter) || now.Before(c.Leaf.NotBefore) {
		return false
	}
	if c.Leaf.CheckSignatureFrom(a.cert) != nil {
		return false
	}
	for _, n := range names {
		if !slices.Contains(c.Leaf.DNSNames, n) {
			return false
		}
	}
	for _, ip := range addrs {
		if !slices.ContainsFunc(c.Leaf.IPAddresses, ip.Equal) {
			return false
		}
	}
	return true
}

func (a *Authority) selfSign() ([]byte, error) {
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "bootyard CA"},
		NotBefore:             caNotBefore,
		NotAfter:              caNotAfter,
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		return nil, fmt.Errorf("sign CA certificate: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

func openKey(file string) (*ecdsa.PrivateKey, error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return makeKey(file)
	}
	if err != nil {
		return nil, fmt.Errorf("read CA key: %w", err)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fmt.Errorf("%s holds no key: restore it from a backup", file)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("parse %s: %w", file, err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s is not an ECDSA key", file)
	}
	return key, nil
}

func makeKey(file string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make CA key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode CA key: %w", err)
	}
	return key, atomicfile.Write(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}
