package step

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/bootyard/bootyard/tsengine/machine"
	"github.com/bootyard/bootyard/tsengine/sequence"
	"github.com/bootyard/bootyard/tsengine/smstslog"
)

// JoinDomain is Join Domain or Workgroup: on Windows by Add-Computer, on Linux by realm or adcli. The password goes to
// the program's standard input. It restarts unless told not to.
type JoinDomain struct{}

// Contract implements Step.
func (JoinDomain) Contract() Contract {
	return Contract{Type: "JoinDomainWorkgroupAction", RunIn: sequence.FullOS, Effect: true, Component: "OSDJoin"}
}

type joinRequest struct{ domain, ou, account, password, workgroup string }

// Run implements Step.
func (JoinDomain) Run(ctx context.Context, c *Context) Outcome {
	r, err := readJoin(c)
	if err != nil {
		return Failure(CodeInvalid, err)
	}
	skip, err := c.InputBool("OSDJoinSkipReboot", false)
	if err != nil {
		return Failure(CodeInvalid, err)
	}
	if c.Machine.Programs == nil {
		return Failure(CodeEnvironment, errors.New("there is no installed system here that could join (TS-21)"))
	}
	var out Outcome
	if c.Machine.Programs.Windows() {
		out = joinWindows(ctx, c, r)
	} else {
		out = joinLinux(ctx, c, r)
	}
	if out.Err == nil {
		if out.Restart = nil; !skip {
			out.Restart = &Restart{}
		}
	}
	return out
}

func readJoin(c *Context) (r joinRequest, err error) {
	text := func(name string) string { return strings.TrimSpace(c.Input(name)) }
	kind := text("OSDJoinType")
	if kind == "" {
		kind = argument(c, "OSDJoinType", "/type:")
	}
	switch kind {
	case "0":
		r = joinRequest{domain: text("OSDJoinDomainName"), ou: strings.TrimPrefix(text("OSDJoinDomainOUName"), "LDAP://"), account: text("OSDJoinAccount"), password: c.Input("OSDJoinPassword")}
		c.Variables.AddSecret(r.password)
		switch {
		case !domainName(r.domain) || len(r.domain) > 255:
			return r, fmt.Errorf("OSDJoinDomainName %q is not a domain of 1 to 255 characters", r.domain)
		case r.account == "" || strings.HasPrefix(r.account, "-") || strings.ContainsAny(r.account+r.password, "\n\r\x00"):
			return r, errors.New("OSDJoinAccount must name the account that joins, and password and account have one line each")
		case len(r.ou) > 32767 || strings.HasPrefix(r.ou, "-") || strings.ContainsAny(r.ou, "\n\r\x00"):
			return r, errors.New("OSDJoinDomainOUName is not the path of an OU (RFC 1779)")
		}
	case "1":
		if r.workgroup = text("OSDJoinWorkgroupName"); r.workgroup == "" || len(r.workgroup) > 32 {
			return r, errors.New("OSDJoinWorkgroupName must have 1 to 32 characters")
		}
	default:
		return r, fmt.Errorf("OSDJoinType is %q; 0 (domain) and 1 (workgroup) exist", kind)
	}
	return r, nil
}

func joinWindows(ctx context.Context, c *Context, r joinRequest) Outcome {
	if r.workgroup != "" {
		return startProgram(ctx, c, powerShell("Add-Computer -WorkgroupName "+quoted(r.workgroup)+" -Force"), nil, "joining the workgroup "+r.workgroup)
	}
	ou := ""
	if r.ou != "" {
		ou = " -OUPath " + quoted(r.ou)
	}
	// A member of the domain stays where it is in the directory.
	script := "$s = Get-CimInstance Win32_ComputerSystem; if ($s.PartOfDomain -and $s.Domain -eq " + quoted(r.domain) + ") { Write-Output 'already a member'; exit 0 }; " +
		"$u = [Console]::In.ReadLine(); $p = [Console]::In.ReadLine(); $k = New-Object System.Security.SecureString; foreach ($x in $p.ToCharArray()) { $k.AppendChar($x) }; " +
		"Add-Computer -DomainName " + quoted(r.domain) + ou + " -Credential (New-Object System.Management.Automation.PSCredential($u, $k)) -Force"
	return startProgram(ctx, c, powerShell(script, r.account, r.password), nil, "joining the domain "+r.domain+" as "+r.account)
}

// joinLinux prefers realm, which also sets up sssd and PAM.
func joinLinux(ctx context.Context, c *Context, r joinRequest) Outcome {
	if r.workgroup != "" {
		return Failure(CodeEnvironment, errors.New("a Linux system is in no workgroup: give the step a condition (TS-21)"))
	}
	user := r.account
	if _, u, ok := strings.Cut(user, `\`); ok { // both programs take the domain from its own argument
		user = u
	}
	var p machine.Program
	switch {
	case c.Machine.Programs.Find("realm"):
		if out := startProgram(ctx, c, machine.Program{Name: "realm", Args: []string{"list", "--name-only"}}, nil, ""); out.Err == nil {
			for line := range strings.FieldsSeq(out.Output) {
				if strings.EqualFold(line, r.domain) {
					c.Log(smstslog.Info, "This system is a member of "+r.domain+" already and stays where it is in the directory")
					return Outcome{}
				}
			}
		}
		p = machine.Program{Name: "realm", Args: []string{"join", "--unattended", "--user=" + user}}
		if r.ou != "" {
			p.Args = append(p.Args, "--computer-ou="+r.ou)
		}
	case c.Machine.Programs.Find("adcli"):
		p = machine.Program{Name: "adcli", Args: []string{"join", "--stdin-password", "--login-user=" + user}}
		if r.ou != "" {
			p.Args = append(p.Args, "--domain-ou="+r.ou)
		}
	default:
		return Failure(CodeNotFound, errors.New("neither realm nor adcli is installed in this system; put one of them (Debian: realmd or adcli) into the image"))
	}
	p.Args, p.Input = append(p.Args, r.domain), r.password+"\n"
	return startProgram(ctx, c, p, codes{1: "the domain did not take this computer; see the output", 5: "the domain refuses the account or its password"}, "")
}
