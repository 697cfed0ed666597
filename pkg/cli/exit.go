package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/client"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/termtext"
)

// The exit codes.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitNotFound    = 3
	exitNotAllowed  = 4
	exitLimit       = 5
	exitUnreachable = 6
)

// said is an error whose message has been printed already; only its exit code
// is left.
type said struct{ code int }

func (said) Error() string { return "" }

// failed is a result that is no success and no fault: a session that ended in
// error.
type failed struct{ message string }

func (f failed) Error() string { return f.message }

// exit prints an error and returns the code it stands for.
func (a *app) exit(err error) int {
	code := a.code(err)
	var s said
	if err == nil || errors.As(err, &s) {
		return code
	}
	message := err.Error()
	if e := fault.As(err); e != nil {
		message = e.Message // not the cause: that is for logs
		if len(e.Fields) > 0 && !toldAlready(e) {
			message += "\n" + fieldLines(e.Fields)
		}
		if e.RetryAfter > 0 {
			message += fmt.Sprintf("\nTry again in %s.", e.RetryAfter)
		}
	}
	if fault.Is(err, fault.Unauthenticated) && a.cfg.Server != "" && fault.CodeOf(err) != "auth/bad-credentials" {
		message += "\nSign in: medforge login " + a.cfg.Server
	}
	if errors.Is(err, context.Canceled) {
		message = "Interrupted."
	}
	fmt.Fprintf(a.Stderr, "medforge: %s\n", termtext.Text(message))
	return code
}

// code is the exit code of an error.
func (a *app) code(err error) int {
	var s said
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &s):
		return s.code
	case errors.Is(err, context.Canceled):
		return exitFailed
	case !a.ran:
		return exitUsage
	}
	return codeOf(fault.KindOf(err), fault.CodeOf(err))
}

func codeOf(kind fault.Kind, code string) int {
	switch kind {
	case fault.NotFound:
		return exitNotFound
	case fault.Unauthenticated, fault.Denied:
		return exitNotAllowed
	case fault.LimitReached, fault.Conflict, fault.Exists, fault.Busy, fault.TooMany:
		return exitLimit
	case fault.Invalid, fault.TooLarge:
		if strings.HasPrefix(code, "competitions/submission-") {
			return exitLimit // bad predictions
		}
		// The API names a flag's value that it does not take by its field.
		if strings.HasPrefix(code, "usage/") || code == api.CodeInvalidRequest || code == "client/no-reference" {
			return exitUsage
		}
	case fault.Unavailable, fault.Timeout:
		if code == client.CodeUnreachable || code == client.CodeTimeout {
			return exitUnreachable
		}
	}
	return exitFailed
}

// toldAlready says whether the message itself says what is wrong and where.
func toldAlready(e *fault.Error) bool {
	return e.Code == "config/invalid" || len(e.Fields) == 1 && strings.Contains(e.Message, strings.TrimPrefix(e.Fields[0].Loc, "body."))
}

// maxFields is how many mistakes are listed.
const maxFields = 20

func fieldLines(fields []fault.Field) string {
	var b strings.Builder
	for i, f := range fields {
		if i == maxFields {
			fmt.Fprintf(&b, "  and %d more\n", len(fields)-i)
			break
		}
		fmt.Fprintf(&b, "  %s: %s\n", f.Loc, f.Msg)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// usage is a mistake in how a command was called that is found while it runs.
func usage(format string, args ...any) error {
	return fault.New(fault.Invalid, "usage/wrong", format, args...)
}

// flagError guesses which flag was meant.
func flagError(cmd *cobra.Command, err error) error {
	hint := ""
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) && len(unknown.GetSpecifiedName()) > 1 {
		best, least := "", 3
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if d := levenshtein.ComputeDistance(f.Name, unknown.GetSpecifiedName()); d < least {
				best, least = f.Name, d
			}
		})
		if best != "" {
			hint = fmt.Sprintf(" Did you mean --%s?", best)
		}
	}
	return fmt.Errorf("%w.%s See: %s --help", err, hint, cmd.CommandPath())
}

// exactly wants so many arguments and says which.
func exactly(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < len(names) {
			return fmt.Errorf("%s is missing. Usage: %s", names[len(args)], cmd.UseLine())
		}
		return atMost(len(names))(cmd, args)
	}
}

func atMost(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > n {
			return fmt.Errorf("%q is too much. Usage: %s", args[n], cmd.UseLine())
		}
		return nil
	}
}
