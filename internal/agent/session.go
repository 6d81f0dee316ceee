package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/bootyard/bootyard/internal/agent/link"
	"github.com/bootyard/bootyard/internal/atomicfile"
	"github.com/bootyard/bootyard/internal/wire"
)

// errSessionOver says that only a new start, or a person, can bring this agent a session.
var errSessionOver = errors.New("the appliance no longer takes this agent's session, which has expired or was withdrawn")

// session is an authenticated line to the appliance. Requests open it when needed, and once more when the appliance no
// longer takes the token. It is safe for concurrent use and never logs a token.
type session struct {
	client *link.Client
	// request makes the request that opens the session.
	request func(ctx context.Context) (wire.SessionRequest, error)
	// opened is told of every new session, before its first use.
	opened func(wire.SessionResponse) error
	// file keeps the session for an agent that is killed and started again; empty for none.
	file string

	mu       sync.Mutex
	response wire.SessionResponse
}

// Do sends a request of the agent's API; it is an outbox.Line.
func (s *session) Do(ctx context.Context, method, path string, in, out any) error {
	token, err := s.token(ctx, "")
	if err != nil {
		return err
	}
	err = s.client.Do(ctx, method, path, in, out)
	if link.Status(err) != http.StatusUnauthorized {
		return err
	}
	if _, openErr := s.token(ctx, token); openErr != nil {
		if status := link.Status(openErr); status == http.StatusUnauthorized || status == http.StatusForbidden {
			// In a boot environment that came by the network the boot token is used up.
			return fmt.Errorf("%w, and it gives no other one: %w", errSessionOver, openErr)
		}
		return openErr
	}
	return s.client.Do(ctx, method, path, in, out)
}

// token returns a session's token. refused is one that the appliance did not take, and so not an answer.
func (s *session) token(ctx context.Context, refused string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.response.Token != "" && s.response.Token != refused {
		return s.response.Token, nil
	}
	if refused == "" && s.load() {
		return s.response.Token, nil
	}
	request, err := s.request(ctx)
	if err != nil {
		return "", err
	}
	var response wire.SessionResponse
	if err := s.client.Do(ctx, http.MethodPost, wire.PathSession, request, &response); err != nil {
		return "", fmt.Errorf("open a session: %w", err)
	}
	if response.Token == "" || response.Time.IsZero() {
		return "", errors.New("open a session: the appliance's answer holds no token or no time")
	}
	if s.opened != nil {
		if err := s.opened(response); err != nil {
			return "", err
		}
	}
	s.response = response
	s.client.SetToken(response.Token)
	return response.Token, s.save()
}

// answer is what the present session was opened with.
func (s *session) answer() wire.SessionResponse {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.response
}

// unlocked notes that the PXE password was taken, also for an agent that is killed and started again.
func (s *session) unlocked() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.response.PasswordNeeded = false
	return s.save()
}

// load takes up the session of an earlier process of this boot.
func (s *session) load() bool {
	if s.file == "" {
		return false
	}
	data, err := os.ReadFile(s.file)
	if err != nil {
		return false
	}
	var response wire.SessionResponse
	if json.Unmarshal(data, &response) != nil || response.Token == "" {
		return false
	}
	s.response = response
	s.client.SetToken(response.Token)
	return true
}

func (s *session) save() error {
	if s.file == "" {
		return nil
	}
	kept := s.response
	kept.ClientToken = "" // has a file of its own
	data, err := json.Marshal(kept)
	if err != nil {
		return fmt.Errorf("keep the session: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(s.file), 0o700); err != nil {
		return fmt.Errorf("keep the session: %w", err)
	}
	return atomicfile.Write(s.file, data, 0o600)
}

// trustedLine makes the verifier and the client of an appliance. transport may be nil.
func trustedLine(url string, caPEM []byte, spki string, now func() time.Time, transport http.RoundTripper) (*link.Verifier, *link.Client, http.RoundTripper, error) {
	verifier, err := link.NewVerifier(caPEM, spki, now)
	if err != nil {
		return nil, nil, nil, err
	}
	if transport == nil {
		transport = verifier.Transport()
	}
	client, err := link.NewClient(url, transport)
	return verifier, client, transport, err
}

// sessionNonce reads or makes what marks this boot's agent towards the appliance: the boot token is good once, but an agent
// whose answer was lost, or which was killed before it kept it, may ask again. name is in RAM.
func sessionNonce(name string) (string, error) {
	if data, err := readSmall(name); err == nil && len(data) > 0 {
		return string(data), nil
	}
	nonce := fmt.Sprintf("%x", newKey())
	if err := atomicfile.Write(name, []byte(nonce), 0o600); err != nil {
		return "", fmt.Errorf("keep the session's nonce: %w", err)
	}
	return nonce, nil
}
