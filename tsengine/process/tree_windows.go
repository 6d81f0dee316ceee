package process

import (
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// tree is a program with all it starts, held by a job object. Windows ends the job with the last handle to it, so that a
// program does not outlive an agent that was killed.
type tree struct {
	cmd *exec.Cmd
	job windows.Handle
}

// newTree makes the job and has the program wait for it: what it started before would not belong to the job.
func newTree(cmd *exec.Cmd, _ string) (*tree, error) {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return nil, fmt.Errorf("make a job for the program: %w", err)
	}
	t := &tree{cmd, job}
	if err := t.limit(windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE); err != nil {
		t.release()
		return nil, fmt.Errorf("make a job for the program: %w", err)
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.CreationFlags |= windows.CREATE_SUSPENDED
	return t, nil
}

func (t *tree) limit(flags uint32) error {
	var info windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION
	info.BasicLimitInformation.LimitFlags = flags
	_, err := windows.SetInformationJobObject(t.job, windows.JobObjectExtendedLimitInformation, uintptr(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info)))
	return err
}

// adopt puts the program into the job and lets it run.
func (t *tree) adopt() error {
	pid := uint32(t.cmd.Process.Pid)
	h, err := windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE, false, pid)
	if err != nil {
		return fmt.Errorf("put the program into its job: %w", err)
	}
	defer windows.CloseHandle(h)
	if err := windows.AssignProcessToJobObject(t.job, h); err != nil {
		return fmt.Errorf("put the program into its job: %w", err)
	}
	return resume(pid)
}

// resume lets the first and only thread of a suspended process run. The handle that CreateProcess gave for it is closed by
// os/exec.
func resume(pid uint32) error {
	snapshot, err := windows.CreateToolhelp32Snapshot(windows.TH32CS_SNAPTHREAD, 0)
	if err != nil {
		return fmt.Errorf("list threads: %w", err)
	}
	defer windows.CloseHandle(snapshot)
	entry := windows.ThreadEntry32{Size: uint32(unsafe.Sizeof(windows.ThreadEntry32{}))}
	for err = windows.Thread32First(snapshot, &entry); err == nil; err = windows.Thread32Next(snapshot, &entry) {
		if entry.OwnerProcessID != pid {
			continue
		}
		thread, err := windows.OpenThread(windows.THREAD_SUSPEND_RESUME, false, entry.ThreadID)
		if err != nil {
			return fmt.Errorf("open the program's thread: %w", err)
		}
		_, err = windows.ResumeThread(thread)
		return errors.Join(err, windows.CloseHandle(thread))
	}
	return fmt.Errorf("the program has no thread: %w", err)
}

// killedCode is the exit code of what a job ends: ERROR_TIMEOUT would be taken for the program's own.
const killedCode = 1

func (t *tree) kill() error {
	err := windows.TerminateJobObject(t.job, killedCode)
	_ = t.cmd.Process.Kill() // when it was not in the job yet
	return err
}

// release lets live what a program left behind: installers hand over to others and end.
func (t *tree) release() {
	_ = t.limit(0)
	_ = windows.CloseHandle(t.job)
	if t.cmd.SysProcAttr != nil && t.cmd.SysProcAttr.Token != 0 { // of another account (TS-104)
		_ = t.cmd.SysProcAttr.Token.Close()
	}
}
