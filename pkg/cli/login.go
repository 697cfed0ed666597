package cli

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/client"
	"github.com/medforge/medforge/pkg/fault"
)

// loginLife is how long the token of a sign-in stands.
const loginLife = "90d"

func (a *app) loginCommand() *cobra.Command {
	var email, life string
	var tokenStdin bool
	cmd := a.run(&cobra.Command{
		Use: "login [URL]", Short: "Sign in to a MedForge elsewhere",
		Long: `Sign in to a MedForge elsewhere. The password is asked for and not shown; without
a terminal it is the next line of stdin. What is kept is a token made for this
computer, in ~/.config/medforge/credentials.json, which only you can read.
Commands then talk to that MedForge, until medforge logout; --socket and
--server choose another one.`,
		Example: `  medforge login https://medforge.example.org
  medforge login https://medforge.example.org --email ada@example.org < password.txt
  medforge login https://medforge.example.org --token-stdin < token.txt`,
		Args: atMost(1),
	}, func(cmd *cobra.Command, _ []string) error {
		if a.cfg.Server == "" {
			return usage("Which MedForge? Usage: medforge login URL")
		}
		if tokenStdin {
			return a.loginByToken(cmd.Context())
		}
		return a.login(cmd.Context(), email, life)
	})
	cmd.PreRunE = serverArgument
	cmd.Flags().StringVar(&email, "email", "", "the account's email address; asked for when left out")
	cmd.Flags().StringVar(&life, "expires", loginLife, "when the token ends by itself: 90d, 12h, never")
	cmd.Flags().BoolVar(&tokenStdin, "token-stdin", false, "keep the token that stdin has, instead of signing in")
	return cmd
}

// serverArgument takes the URL of login and logout as --server.
func serverArgument(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if cmd.Flags().Changed("server") {
		return fmt.Errorf("the URL and --server are the same thing; give one of them. Usage: %s", cmd.UseLine())
	}
	return cmd.Flags().Set("server", args[0])
}

// connect makes a client of the server with another token, or none.
func (a *app) connect(token string) (*client.Client, error) {
	return client.New(client.Options{Socket: a.cfg.Socket, Server: a.cfg.Server, Token: token, UserAgent: "medforge/" + a.version()})
}

func (a *app) login(ctx context.Context, email, life string) error {
	until, err := expiry(life, a.Now())
	if err != nil {
		return err
	}
	if email == "" {
		if !isTerminal(a.Stdin) {
			return usage("Whose account? Without a terminal: medforge login URL --email ADDRESS")
		}
		if email, err = a.ask(ctx, "Email: "); err != nil {
			return err
		}
	}
	password, err := a.askSecret(ctx, "Password: ")
	if err != nil {
		return err
	}
	c, err := a.connect("")
	if err != nil {
		return err
	}
	defer c.Close()
	label := "medforge"
	if host, err := os.Hostname(); err == nil {
		label += " on " + host
	}
	who, made, err := c.Login(ctx, api.Login{Email: strings.TrimSpace(email), Password: password}, api.TokenCreate{Label: label, ExpiresAt: until})
	if err != nil {
		return err
	}
	return a.signedIn(ctx, made.Secret, who.Email)
}

func (a *app) loginByToken(ctx context.Context) error {
	token, err := await(ctx, a.line)
	if err != nil {
		return err
	}
	me, err := a.whoHas(ctx, strings.TrimSpace(token))
	if fault.CodeOf(err) == api.CodeNotSignedIn { // it does not look like one of MedForge's
		return fault.New(fault.Unauthenticated, "auth/bad-token", "What stdin has is no token of MedForge. Make one there: medforge token create NAME.")
	}
	if err != nil {
		return err
	}
	return a.signedIn(ctx, strings.TrimSpace(token), me.Email)
}

// whoHas asks the server whose token it is.
func (a *app) whoHas(ctx context.Context, token string) (api.Me, error) {
	c, err := a.connect(token)
	if err != nil {
		return api.Me{}, err
	}
	defer c.Close()
	return c.Me(ctx)
}

// signedIn keeps the token, ends the one that it takes the place of, and says
// who one is now.
func (a *app) signedIn(ctx context.Context, token, email string) error {
	old := a.creds.Servers[a.cfg.Server].Token
	if err := a.creds.keep(a.cfg.Server, token, email); err != nil {
		return err
	}
	if old != "" && old != token {
		if c, err := a.connect(old); err == nil {
			_ = c.Logout(ctx) // it has ended, or will by itself
			c.Close()
		}
	}
	me, err := a.whoHas(ctx, token)
	if err != nil {
		return err
	}
	return a.print.result(me, func() { a.print.line("Signed in to %s as %s.", a.cfg.Server, nameOf(me)) })
}

func nameOf(me api.Me) string {
	if me.Email != "" {
		return me.Email
	}
	return me.Name
}

func (a *app) logoutCommand() *cobra.Command {
	cmd := a.run(&cobra.Command{
		Use: "logout [URL]", Short: "Sign out: end this computer's token and forget it",
		Example: "  medforge logout", Args: atMost(1),
	}, func(cmd *cobra.Command, _ []string) error { return a.logout(cmd.Context()) })
	cmd.PreRunE = serverArgument
	return cmd
}

func (a *app) logout(ctx context.Context) error {
	said := api.Message{Message: "You are not signed in to a MedForge elsewhere."}
	if a.cfg.Server != "" && a.creds.Servers[a.cfg.Server].Token == "" {
		said.Message = fmt.Sprintf("You are not signed in to %s.", a.cfg.Server)
	} else if a.cfg.Server != "" {
		// The token is forgotten here whatever the server says.
		ended := a.client.Logout(ctx)
		if err := a.creds.drop(a.cfg.Server); err != nil {
			return err
		}
		if ended != nil && !fault.Is(ended, fault.Unauthenticated) {
			a.print.warn("The token is forgotten here, but %s could not be told: whoever has a copy can still use it.", a.cfg.Server)
			return ended
		}
		said.Message = fmt.Sprintf("Signed out of %s.", a.cfg.Server)
	}
	return a.print.result(said, func() { a.print.line("%s", said.Message) })
}

func (a *app) passwdCommand() *cobra.Command {
	return a.run(&cobra.Command{
		Use: "passwd", Short: "Change your password",
		Long: `Change your password, for signing in on the web and with medforge login. Every
other browser and every other token of yours is signed out. Without a terminal
stdin has the current password on its first line and the new one on its second.`,
		Example: "  medforge passwd", Args: atMost(0),
	}, func(cmd *cobra.Command, _ []string) error { return a.passwd(cmd.Context()) })
}

func (a *app) passwd(ctx context.Context) error {
	current, err := a.askSecret(ctx, "Current password (empty if you have none): ")
	if err != nil {
		return err
	}
	next, err := a.askSecret(ctx, "New password: ")
	if err != nil {
		return err
	}
	if isTerminal(a.Stdin) {
		again, err := a.askSecret(ctx, "New password again: ")
		if err != nil {
			return err
		}
		if again != next {
			return usage("The two are not the same. Nothing was changed.")
		}
	}
	if err := a.client.ChangePassword(ctx, api.PasswordChange{Current: current, New: next}); err != nil {
		return err
	}
	said := api.Message{Message: "Password changed. Other browsers and tokens are signed out."}
	return a.print.result(said, func() { a.print.line("%s", said.Message) })
}

// expiry turns "90d", "12h" or "never" into a moment, or none.
func expiry(life string, now time.Time) (*time.Time, error) {
	if life == "never" {
		return nil, nil
	}
	d, err := time.ParseDuration(life)
	if days, ok := strings.CutSuffix(life, "d"); ok {
		var n int
		if _, err = fmt.Sscanf(days+"\n", "%d\n", &n); err == nil && n <= 36500 {
			d = time.Duration(n) * 24 * time.Hour
		}
	}
	if err != nil || d <= 0 {
		return nil, usage("%q is no time to end after. It looks like 90d, 12h, or never.", life)
	}
	at := now.Add(d).UTC()
	return &at, nil
}
