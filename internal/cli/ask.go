package cli

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"
)

// agreed shows what err wants to have confirmed (HRD-14) and asks, when a
// person is at the terminal. Anything but a clear yes is no; err without such a
// wish is no as well.
func (env *environment) agreed(err error) bool {
	want := confirmation(err)
	if want == nil {
		return false
	}
	fmt.Fprintf(env.err, "This deployment starts by itself on %s and needs your word:\n", machines(want.MemberCount))
	for _, r := range want.Reasons {
		fmt.Fprintf(env.err, "  - %s%s\n", oneLine(r.Text), inBrackets(r.Rule))
	}
	if env.ask("Go on? [y/N] ") {
		return true
	}
	fmt.Fprintln(env.err, "Nothing has been made. Repeat the command with --yes to go on.")
	return false
}

func machines(n int) string {
	if n == 1 {
		return "1 machine"
	}
	return fmt.Sprintf("%d machines", n)
}

// ask puts a yes-or-no question when a person is at the terminal.
func (env *environment) ask(question string) bool {
	f, ok := env.in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return false
	}
	fmt.Fprint(env.err, question)
	answer, _ := bufio.NewReader(f).ReadString('\n') // the end of input is no
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes"
}
