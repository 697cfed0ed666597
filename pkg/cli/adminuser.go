package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/medforge/medforge/pkg/api"
)

func (a *app) adminUser() *cobra.Command {
	return a.group(&cobra.Command{
		Use: "user", Short: "Everybody's accounts",
		Example: "  medforge admin user list\n  medforge admin user set ada@example.org --role admin",
	}, a.userList(), a.userCreate(), a.userSet())
}

func (a *app) userList() *cobra.Command {
	return a.run(&cobra.Command{
		Use: "list", Short: "List the accounts, oldest first", Aliases: []string{"ls"},
		Example: "  medforge admin user list", Args: atMost(0),
	}, func(cmd *cobra.Command, _ []string) error {
		users, err := a.client.Users(cmd.Context())
		if err != nil {
			return err
		}
		return a.print.result(users, func() {
			var rows [][]string
			for _, u := range users {
				state := "ok"
				if u.Disabled {
					state = "disabled"
				}
				rows = append(rows, []string{u.Name, orDash(u.Email), orDash(u.UnixName), u.Role, limitText(u.SessionLimit), state, u.UserID})
			}
			a.print.table([]string{"NAME", "EMAIL", "UNIX", "ROLE", "SESSIONS", "STATE", "ID"}, rows)
		})
	})
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func limitText(n int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

func (a *app) userCreate() *cobra.Command {
	var in api.UserCreate
	var passwordStdin bool
	cmd := a.run(&cobra.Command{
		Use: "create [EMAIL]", Short: "Make an account",
		Long: `Make an account. With an email address it signs in on the web and with medforge
login; a password is made up and printed, once, unless --password-stdin gives
one. With --unix it is that Unix user's on this host's socket. Unix users of
the socket need no account beforehand: theirs is made when they first come.`,
		Example: `  medforge admin user create ada@example.org
  medforge admin user create ada@example.org --unix ada --sessions 2
  medforge admin user create --unix ada --role admin`,
		Args: atMost(1),
	}, func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			in.Email = args[0]
		}
		if in.Email == "" && in.UnixName == "" {
			return usage("An account needs an email address or --unix NAME. See: medforge admin user create --help")
		}
		if passwordStdin {
			var err error
			if in.Password, err = a.askSecret(cmd.Context(), "Password: "); err != nil {
				return err
			}
		}
		made, err := a.client.CreateUser(cmd.Context(), in)
		if err != nil {
			return err
		}
		return a.showUser(made, "Made the account of")
	})
	f := cmd.Flags()
	f.StringVar(&in.UnixName, "unix", "", "the Unix user that it is on the socket")
	f.StringVar(&in.Name, "name", "", "the name that others see")
	f.StringVar(&in.Role, "role", "user", "user or admin")
	f.IntVar(&in.SessionLimit, "sessions", 0, "active sessions at most; 0: the host's number")
	f.BoolVar(&passwordStdin, "password-stdin", false, "read the password instead of making one up")
	completeRoles(cmd)
	return cmd
}

func completeRoles(cmd *cobra.Command) {
	_ = cmd.RegisterFlagCompletionFunc("role", cobra.FixedCompletions([]string{"user", "admin"}, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
}

func (a *app) userSet() *cobra.Command {
	var role, name, email, unix string
	var sessions int
	var disabled bool
	var in api.UserChange
	cmd := a.run(&cobra.Command{
		Use: "set USER", Short: "Change an account",
		Long: `Change an account, named by its id, its email address or its Unix name. What is
not given stays as it is. Disabling it, resetting its password or taking the
admin's role away signs it out everywhere at once.

--unix makes the account that of a Unix user too: on the socket and on the web
that is the same person then. A Unix user who has come by the socket has an
account already, with sessions maybe; --move-unix takes the name from it, and
leaves it and all it has to the admins.`,
		Example: `  medforge admin user set ada@example.org --role admin
  medforge admin user set ada --sessions 2
  medforge admin user set ada@example.org --disabled
  medforge admin user set ada@example.org --unix ada --move-unix`,
		Args: exactly("USER"), ValidArgsFunction: a.completeUsers(),
	}, func(cmd *cobra.Command, args []string) error {
		f := cmd.Flags()
		given(f.Changed("role"), &in.Role, &role)
		given(f.Changed("name"), &in.Name, &name)
		given(f.Changed("email"), &in.Email, &email)
		given(f.Changed("unix"), &in.UnixName, &unix)
		given(f.Changed("sessions"), &in.SessionLimit, &sessions)
		given(f.Changed("disabled"), &in.Disabled, &disabled)
		if in == (api.UserChange{}) {
			return usage("Nothing is to be changed. See: medforge admin user set --help")
		}
		changed, err := a.client.SetUser(cmd.Context(), args[0], in)
		if err != nil {
			return err
		}
		return a.showUser(changed, "Changed the account of")
	})
	f := cmd.Flags()
	f.StringVar(&role, "role", "", "user or admin")
	f.IntVar(&sessions, "sessions", 0, "active sessions at most; 0: the host's number")
	f.BoolVar(&disabled, "disabled", false, "let it in no more; --disabled=false undoes it")
	f.StringVar(&name, "name", "", "the name that others see")
	f.StringVar(&email, "email", "", "the address that it signs in with")
	f.StringVar(&unix, "unix", "", "the Unix user that it is on the socket; empty: none")
	f.BoolVar(&in.MoveUnixName, "move-unix", false, "take that Unix user from the account that has it")
	f.BoolVar(&in.ResetPassword, "reset-password", false, "make up a new password and print it, once")
	completeRoles(cmd)
	return cmd
}

// given points at a flag's value when the flag was given.
func given[T any](was bool, to **T, value *T) {
	if was {
		*to = value
	}
}

// showUser says what became of an account on stderr; a password that was made
// up is the result.
func (a *app) showUser(c api.UserChanged, what string) error {
	u := c.User
	who := u.Email
	if who == "" {
		who = u.UnixName
	}
	text := fmt.Sprintf("%s %s: %s", what, who, u.Role)
	if u.SessionLimit > 0 {
		text += fmt.Sprintf(", %d sessions", u.SessionLimit)
	}
	if u.UnixName != "" && u.Email != "" {
		text += ", Unix user " + u.UnixName
	}
	if u.Disabled {
		text += ", disabled"
	}
	return a.print.result(c, func() {
		if c.Password == "" {
			a.print.line("%s.", text)
			return
		}
		a.print.tell("%s. Its password, which is shown only now:", text)
		a.print.line("%s", c.Password)
	})
}
