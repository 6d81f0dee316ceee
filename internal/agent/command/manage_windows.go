package command

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/mgr"
)

// restartAfter is how long Windows waits before it starts a service again that has failed.
const restartAfter = 5 * time.Second

// manageService installs, removes or shows the service (TS-118).
func manageService(s Streams, what string) error {
	m, err := mgr.Connect()
	if err != nil {
		return fmt.Errorf("open the service manager (administrators only): %w", err)
	}
	defer m.Disconnect()
	switch what {
	case "install":
		return installService(s, m)
	case "remove":
		return removeService(s, m)
	}
	return showService(s, m)
}

func installService(s Streams, m *mgr.Mgr) (err error) {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	service, err := m.CreateService(serviceName, program, mgr.Config{StartType: mgr.StartAutomatic, DisplayName: "bootyard agent",
		Description: "Runs task sequences that the bootyard appliance deploys to this computer."}, "service", serviceManaged)
	if errors.Is(err, windows.ERROR_SERVICE_EXISTS) {
		return errors.New("the service is installed already; bootyard-agent service remove takes it away")
	}
	if err != nil {
		return fmt.Errorf("install the service: %w", err)
	}
	defer func() { err = errors.Join(err, service.Close()) }()
	// A round that fails is repeated by the agent itself; an agent that ends is started again.
	again := mgr.RecoveryAction{Type: mgr.ServiceRestart, Delay: restartAfter}
	if err := service.SetRecoveryActions([]mgr.RecoveryAction{again, again, again}, uint32((24 * time.Hour).Seconds())); err != nil {
		fmt.Fprintf(s.Err, "bootyard-agent: Windows does not start the service again when it fails: %v\n", err)
	}
	fmt.Fprintf(s.Out, "service %s is installed and starts with Windows; sc start %s starts it now\n", serviceName, serviceName)
	if _, err := os.Stat(settingsFile); err != nil {
		fmt.Fprintf(s.Out, "it has no settings yet: %s\n", settingsFile)
	}
	return nil
}

// openService is the service, or an error that says how to get it.
func openService(m *mgr.Mgr) (*mgr.Service, error) {
	service, err := m.OpenService(serviceName)
	if errors.Is(err, windows.ERROR_SERVICE_DOES_NOT_EXIST) {
		return nil, errors.New("the service is not installed; bootyard-agent service install does it")
	}
	if err != nil {
		return nil, fmt.Errorf("open the service: %w", err)
	}
	return service, nil
}

// removeService has a service that runs stop first, which ends its round.
func removeService(s Streams, m *mgr.Mgr) (err error) {
	service, err := openService(m)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, service.Close()) }()
	if status, err := service.Query(); err == nil && status.State != svc.Stopped {
		if _, err := service.Control(svc.Stop); err != nil {
			fmt.Fprintf(s.Err, "bootyard-agent: the service does not stop: %v\n", err)
		}
	}
	if err := service.Delete(); err != nil {
		return fmt.Errorf("remove the service: %w", err)
	}
	fmt.Fprintf(s.Out, "service %s is removed\n", serviceName)
	return nil
}

var stateNames = map[svc.State]string{svc.Stopped: "stopped", svc.StartPending: "starting", svc.StopPending: "stopping", svc.Running: "running",
	svc.ContinuePending: "continuing", svc.PausePending: "pausing", svc.Paused: "paused"}

func showService(s Streams, m *mgr.Mgr) (err error) {
	service, err := openService(m)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, service.Close()) }()
	status, err := service.Query()
	if err != nil {
		return fmt.Errorf("ask for the service's state: %w", err)
	}
	fmt.Fprintf(s.Out, "service %s is %s\n", serviceName, stateNames[status.State])
	return nil
}
