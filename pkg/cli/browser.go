package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/medforge/medforge/pkg/api"
)

func (a *app) browserCommand() *cobra.Command {
	return a.group(&cobra.Command{
		Use: "browser", Short: "Browsers that you are signed in with",
		Example: "  medforge browser list\n  medforge browser revoke --all",
	}, a.browserList(), a.browserRevoke())
}

func (a *app) browserList() *cobra.Command {
	return a.run(&cobra.Command{
		Use: "list", Short: "List the browsers that you are signed in with", Aliases: []string{"ls"},
		Long: `List the browsers that you are signed in with: on MedForge's page, or on one
session alone, by the link of medforge session open.`,
		Example: "  medforge browser list", Args: atMost(0),
	}, func(cmd *cobra.Command, _ []string) error {
		browsers, err := a.client.Browsers(cmd.Context())
		if err != nil {
			return err
		}
		return a.print.result(browsers, func() {
			if len(browsers) == 0 {
				a.print.tell("You are signed in with no browser.")
				return
			}
			var rows [][]string
			for _, b := range browsers {
				opens := "MedForge"
				if b.SessionID != nil {
					opens = "one session"
				}
				rows = append(rows, []string{b.Agent, opens, timeText(b.CreatedAt), timeText(b.LastUsed), timeOrDash(b.ExpiresAt), b.ID})
			}
			a.print.table([]string{"BROWSER", "OPENS", "SIGNED IN", "LAST SEEN", "ENDS", "ID"}, rows)
		})
	})
}

func (a *app) browserRevoke() *cobra.Command {
	var all bool
	cmd := a.run(&cobra.Command{
		Use: "revoke ID", Short: "Sign a browser out at once",
		Long: `Sign a browser out at once, or all of them. What it has open is cut off, VS Code
too; the session itself runs on. Tokens stay: medforge token revoke ends one.`,
		Example: `  medforge browser revoke 0f8c1d52-6a57-4b0e-9d0e-3f1c7b1f4a11
  medforge browser revoke --all`,
		ValidArgsFunction: a.completeBrowsers(),
		Args: func(cmd *cobra.Command, args []string) error {
			if all {
				return atMost(0)(cmd, args)
			}
			return exactly("ID")(cmd, args)
		},
	}, func(cmd *cobra.Command, args []string) error {
		said := api.Message{Message: "Every browser of yours is signed out."}
		var err error
		if all {
			err = a.client.EndBrowsers(cmd.Context())
		} else {
			said.Message = fmt.Sprintf("Browser %s is signed out.", args[0])
			err = a.client.EndBrowser(cmd.Context(), args[0])
		}
		if err != nil {
			return err
		}
		return a.print.result(said, func() { a.print.line("%s", said.Message) })
	})
	cmd.Flags().BoolVar(&all, "all", false, "all of them, instead of one")
	return cmd
}
