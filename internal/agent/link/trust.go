package link

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// ErrUntrusted is wrapped when the far end does not prove to be the appliance. Trying again does not help.
var ErrUntrusted = errors.New("the appliance's certificate is not trusted")

// handshakeTimeout bounds one connection attempt with its handshake; a loss of packets of ten seconds fits into it.
const handshakeTimeout = 30 * time.Second

// Verifier checks server certificates against one pinned authority. It is safe for concurrent use.
type Verifier struct {
	pin        []byte
	roots      []*x509.Certificate
	now        func() time.Time
	ignoreTime atomic.Bool
}

// NewVerifier trusts the certificates of caPEM. With spki, the SHA-256 of the authority's SubjectPublicKeyInfo in
// unpadded base64url, only those whose key has this hash; such an authority may then also be missing from caPEM and come
// with the handshake. now tells the time that certificates are judged by.
func NewVerifier(caPEM []byte, spki string, now func() time.Time) (*Verifier, error) {
	v := &Verifier{now: now}
	if spki != "" {
		pin, err := base64.RawURLEncoding.DecodeString(spki)
		if err != nil || len(pin) != sha256.Size {
			return nil, fmt.Errorf("the CA's key hash %.64q is not the base64url of 32 bytes: make the boot arguments or the medium again", spki)
		}
		v.pin = pin
	}
	for rest := caPEM; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("read the site's CA certificate: %w", err)
		}
		if v.pin == nil || v.pinned(cert) {
			v.roots = append(v.roots, cert)
		}
	}
	if v.pin == nil && len(v.roots) == 0 {
		return nil, errors.New("neither a CA certificate nor the hash of its key is there: the appliance cannot be recognised; " +
			"make the site archive or the medium again")
	}
	return v, nil
}

// IgnoreTime says whether the validity times of certificates are left out of the check. Chain, key, purpose and name are
// checked either way.
func (v *Verifier) IgnoreTime(ignore bool) { v.ignoreTime.Store(ignore) }

func (v *Verifier) pinned(cert *x509.Certificate) bool {
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return subtle.ConstantTimeCompare(sum[:], v.pin) == 1
}

// Verify checks chain, the first of which is the server's own certificate, for host: a name or an address literal.
func (v *Verifier) Verify(host string, chain []*x509.Certificate) error {
	if len(chain) == 0 {
		return fmt.Errorf("%w: it sent none", ErrUntrusted)
	}
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	for _, cert := range v.roots {
		roots.AddCert(cert)
	}
	for _, cert := range chain[1:] {
		if v.pin != nil && v.pinned(cert) && cert.IsCA {
			roots.AddCert(cert)
			continue
		}
		intermediates.AddCert(cert)
	}
	options := x509.VerifyOptions{DNSName: host, Roots: roots, Intermediates: intermediates, CurrentTime: v.now(),
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	if v.ignoreTime.Load() {
		options.CurrentTime = v.commonTime(chain)
	}
	if _, err := chain[0].Verify(options); err != nil {
		var invalid x509.CertificateInvalidError
		if errors.As(err, &invalid) && invalid.Reason == x509.Expired {
			return fmt.Errorf("%w: %w: renew it on the appliance, or check the appliance's clock", ErrUntrusted, err)
		}
		return fmt.Errorf("%w for %s: %w", ErrUntrusted, host, err)
	}
	return nil
}

// commonTime is an instant at which everything in play is valid, if there is one: the latest beginning. That leaves out
// exactly the time fields and nothing else of the check.
func (v *Verifier) commonTime(chain []*x509.Certificate) time.Time {
	at := chain[0].NotBefore
	for _, cert := range append(chain[1:len(chain):len(chain)], v.roots...) {
		// A root that did not sign this chain has no say.
		if cert.NotBefore.After(at) && !at.After(cert.NotAfter) && inChain(cert, chain) {
			at = cert.NotBefore
		}
	}
	return at
}

func inChain(cert *x509.Certificate, chain []*x509.Certificate) bool {
	for _, c := range chain {
		if bytes.Equal(c.RawIssuer, cert.RawSubject) {
			return true
		}
	}
	return false
}

// Transport makes connections that v has checked, TLS 1.3 only. It also carries plain HTTP, which serves content that is
// verified by its hash. Close its idle connections after IgnoreTime(false), so that none of the first ones lives on.
func (v *Verifier) Transport() *http.Transport {
	dialer := &net.Dialer{Timeout: handshakeTimeout, KeepAlive: 15 * time.Second}
	return &http.Transport{
		DialContext: dialer.DialContext,
		DialTLSContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return v.dial(ctx, dialer, network, addr)
		},
		MaxIdleConnsPerHost:   4,
		IdleConnTimeout:       60 * time.Second,
		ResponseHeaderTimeout: 60 * time.Second,
		DisableCompression:    true,
	}
}

func (v *Verifier) dial(ctx context.Context, dialer *net.Dialer, network, addr string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("address %q: %w", addr, err)
	}
	raw, err := dialer.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	conn := tls.Client(raw, &tls.Config{
		MinVersion: tls.VersionTLS13,
		ServerName: host,
		// The library's own check cannot leave out the time, so ours replaces it in VerifyConnection.
		InsecureSkipVerify: true, //nolint:gosec // verified below
		VerifyConnection: func(state tls.ConnectionState) error {
			return v.Verify(host, state.PeerCertificates)
		},
	})
	if err := conn.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, fmt.Errorf("TLS with %s: %w", addr, err)
	}
	return conn, nil
}
