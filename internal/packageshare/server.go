package packageshare

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// configuration is smb.conf: one read-only share, SMB 3 and encrypted only, nobody without the password, nothing of the
// machine's own Samba touched. At log level 2 the log names every file that is opened, which is the access log of S-94. Files are read as root, because data_dir is root's alone; links are not followed.
func (s *Share) configuration() string {
	where := ""
	if s.host != "" {
		where = "\tinterfaces = " + s.host + "\n\tbind interfaces only = yes\n"
	}
	return strings.NewReplacer("STATE", s.state(), "TREE", s.tree(), "PORT", strconv.Itoa(s.port), "WHERE\n", where, "ACCOUNT", Account, "NAME", Name).Replace(`# Written by bootyard at every start; changes are lost.
[global]
	workgroup = WORKGROUP
	server string = bootyard
	server role = standalone server
	smb ports = PORT
WHERE
	disable netbios = yes
	server min protocol = SMB3
	server smb encrypt = required
	server signing = mandatory
	map to guest = never
	restrict anonymous = 2
	passdb backend = tdbsam:STATE/passdb.tdb
	private dir = STATE
	lock directory = STATE
	state directory = STATE
	cache directory = STATE
	pid directory = STATE
	ncalrpc dir = STATE/ncalrpc
	log file = STATE/log
	max log size = 1000
	log level = 2
	load printers = no
	printcap name = /dev/null
	disable spoolss = yes
	max smbd processes = 1000
	deadtime = 60
[NAME]
	path = TREE
	read only = yes
	write list =
	guest ok = no
	browseable = no
	valid users = ACCOUNT
	force user = root
	follow symlinks = no
	wide links = no
	dont descend = .new,.old
	veto files = /.new/.old/
`)
}

// setPassword gives the account its password, by standard input.
func (s *Share) setPassword(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	add := exec.CommandContext(ctx, s.passwd, "-c", s.conf(), "-s", "-a", Account)
	add.Stdin = strings.NewReader(s.config.Password + "\n" + s.config.Password + "\n")
	said := &tail{}
	add.Stdout, add.Stderr, add.WaitDelay = said, said, drainTime
	if err := add.Run(); err != nil {
		return fmt.Errorf("package share: give its account a password: %w: %s", err, said)
	}
	return nil
}

// account is setPassword until it succeeds or ctx ends. Without a share the appliance still does all the rest, so a failure
// is no reason to end; nothing is served meanwhile, because an earlier start's password may still be the account's.
func (s *Share) account(ctx context.Context) {
	for wait := firstRestart; ; wait = min(2*wait, lastRestart) {
		err := s.setPassword(ctx)
		if err == nil || ctx.Err() != nil {
			return
		}
		s.config.Log.Error("package share is not served yet, it is tried again", "wait", wait, "err", err)
		if !pause(ctx, wait) {
			return
		}
	}
}

// pause reports whether the time passed before ctx ended.
func pause(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// serve runs smbd until ctx ends, and starts it again when it ends before that.
func (s *Share) serve(ctx context.Context) error {
	s.account(ctx)
	wait := firstRestart
	for ctx.Err() == nil {
		began := time.Now()
		err := s.once(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(began) > lastRestart {
			wait = firstRestart
		}
		s.config.Log.Error("package share: smbd ended and is started again", "wait", wait, "err", err, "see", s.state()+"/log")
		if !pause(ctx, wait) {
			return nil
		}
		wait = min(2*wait, lastRestart)
	}
	return nil
}

// once is one life of smbd. It makes a process for each client; all are in one group, and die with the appliance.
func (s *Share) once(ctx context.Context) error {
	runtime.LockOSThread() // the parent-death signal comes when the starting thread ends
	defer runtime.UnlockOSThread()
	said := &tail{}
	server := exec.Command(s.smbd, "--foreground", "--no-process-group", "--configfile="+s.conf())
	server.Stdout, server.Stderr = said, said
	server.WaitDelay = drainTime // a child that outlives it has the pipe too, and must not hold up the restart
	server.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := server.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Wait() }() // ends with the process, which is killed below
	group := -server.Process.Pid
	select {
	case err := <-ended:
		_ = syscall.Kill(group, syscall.SIGKILL) // what it left
		return fmt.Errorf("%w: %s", err, said)
	case <-ctx.Done():
	}
	_ = syscall.Kill(group, syscall.SIGTERM)
	kill := time.AfterFunc(stopTime, func() { _ = syscall.Kill(group, syscall.SIGKILL) })
	<-ended
	kill.Stop()
	_ = syscall.Kill(group, syscall.SIGKILL) // processes of clients
	return nil
}

// Wait returns when the share's port answers, or with the context's error.
func (s *Share) Wait(ctx context.Context) error {
	host := s.host
	if host == "" {
		host = "127.0.0.1"
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		d := net.Dialer{Timeout: time.Second}
		c, err := d.DialContext(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(s.port)))
		if err == nil {
			return c.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("package share does not answer: %w", err)
		case <-tick.C:
		}
	}
}

// tail keeps the last 2 KiB that a program said.
type tail struct{ last []byte }

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.last = append(t.last, p...)
	t.last = t.last[max(0, len(t.last)-2048):]
	return len(p), nil
}

func (t *tail) String() string { return string(bytes.TrimSpace(t.last)) }
