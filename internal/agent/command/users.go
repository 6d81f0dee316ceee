package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/bootyard/bootyard/internal/agent"
)

const (
	maxUserRequest = 4 << 10
	userTimeout    = 10 * time.Second
)

// userList is what the service tells a user.
type userList struct {
	Items  []agent.Item `json:"items"`
	Status agent.Status `json:"status"`
}

// serveUsers answers list and install on a socket that every user of the machine may open: it is their Software Center. It
// hands out no secret and starts only what is offered to users.
func serveUsers(ctx context.Context, a *agent.Agent, asked chan<- struct{}, logger *slog.Logger) (stop func(), err error) {
	if err := os.MkdirAll(filepath.Dir(socketFile()), 0o755); err != nil {
		return nil, err
	}
	if err := os.Remove(socketFile()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	listener, err := net.Listen("unix", socketFile())
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(socketFile(), 0o666); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	server := &http.Server{Handler: userHandler(a, asked, logger), ReadTimeout: userTimeout, WriteTimeout: userTimeout, MaxHeaderBytes: 8 << 10}
	ended := make(chan struct{})
	go func() { // ends with stop
		defer close(ended)
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			logger.Warn("users' socket ended", "err", err)
		}
	}()
	return func() {
		_ = server.Close()
		<-ended
	}, nil
}

func userHandler(a *agent.Agent, asked chan<- struct{}, logger *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /list", func(w http.ResponseWriter, _ *http.Request) {
		items, status := a.List()
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(userList{items, status}) // the user went away
	})
	mux.HandleFunc("POST /install", func(w http.ResponseWriter, r *http.Request) {
		id, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxUserRequest))
		if err == nil {
			err = a.Install(strings.TrimSpace(string(id)))
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		logger.Info("a user asked for a task sequence", "deployment", string(id))
		select {
		case asked <- struct{}{}:
		default: // the next round sees it anyway
		}
	})
	return mux
}

// askService sends a request to the service on this machine.
func askService(ctx context.Context, method, path, body string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, userTimeout)
	defer cancel()
	dialer := &net.Dialer{}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, "unix", socketFile())
	}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, method, "http://agent"+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask the agent's service: %w: is it running? (systemctl status bootyard-agent)", err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(io.LimitReader(response.Body, 4<<20))
	if err == nil && response.StatusCode != http.StatusOK {
		err = errors.New(strings.TrimSpace(string(data)))
	}
	return data, err
}

func list(ctx context.Context, s Streams, onlyStatus bool) error {
	data, err := askService(ctx, http.MethodGet, "/list", "")
	if err != nil {
		return err
	}
	var l userList
	if err := json.Unmarshal(data, &l); err != nil {
		return fmt.Errorf("read the service's answer: %w", err)
	}
	switch {
	case l.Status.Running != "":
		fmt.Fprintf(s.Out, "running: %s\n", l.Status.Running)
	case onlyStatus && l.Status.LastName == "":
		fmt.Fprintln(s.Out, "nothing has run yet")
	}
	if l.Status.LastName != "" {
		fmt.Fprintf(s.Out, "last: %s %s\n", l.Status.LastName, l.Status.LastText)
	}
	if onlyStatus {
		return nil
	}
	if len(l.Items) == 0 {
		text := l.Status.Hidden
		if text == "" {
			text = "nothing is offered to this machine"
		}
		fmt.Fprintln(s.Out, text)
		return nil
	}
	table := tabwriter.NewWriter(s.Out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "DEPLOYMENT\tNAME\tPURPOSE\tSTATE\tDUE\tMAY START")
	for _, item := range l.Items {
		due := "-"
		if !item.Due.IsZero() {
			due = item.Due.Format("2006-01-02 15:04 MST")
		}
		may := "no"
		if item.MayStart {
			may = "yes"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", item.Deployment, item.Name, item.Purpose, item.State, due, may)
	}
	return table.Flush()
}

func install(ctx context.Context, s Streams, deployment string) error {
	if _, err := askService(ctx, http.MethodPost, "/install", deployment); err != nil {
		return err
	}
	fmt.Fprintf(s.Out, "%s starts now; see bootyard-agent status\n", deployment)
	return nil
}
