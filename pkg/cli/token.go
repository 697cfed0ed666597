package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/medforge/medforge/pkg/api"
)

func (a *app) tokenCommand() *cobra.Command {
	return a.group(&cobra.Command{
		Use: "token", Short: "Tokens that let programs in as you",
		Example: "  medforge token create ci\n  medforge token list",
	}, a.tokenCreate(), a.tokenList(), a.tokenRevoke())
}

func (a *app) tokenCreate() *cobra.Command {
	var life string
	cmd := a.run(&cobra.Command{
		Use: "create NAME", Short: "Make a token and print it, once",
		Long: `Make a token and print it, once: only its hash is kept. Whoever has it is you,
until it ends or is revoked.`,
		Example: `  medforge token create ci --expires 30d
  medforge token create laptop -q > token.txt   # for: medforge login URL --token-stdin`,
		Args: exactly("NAME"),
	}, func(cmd *cobra.Command, args []string) error {
		until, err := expiry(life, a.Now())
		if err != nil {
			return err
		}
		made, err := a.client.CreateToken(cmd.Context(), api.TokenCreate{Label: args[0], ExpiresAt: until})
		if err != nil {
			return err
		}
		a.print.tell("It is shown only now. It ends: %s. Revoke it: medforge token revoke %s", endText(made.Token), made.Token.ID)
		return a.print.result(made, func() { a.print.line("%s", made.Secret) })
	})
	cmd.Flags().StringVar(&life, "expires", loginLife, "when it ends by itself: 90d, 12h, never")
	return cmd
}

func endText(t api.Token) string {
	if t.ExpiresAt == nil {
		return "never"
	}
	return timeText(*t.ExpiresAt)
}

func (a *app) tokenList() *cobra.Command {
	return a.run(&cobra.Command{
		Use: "list", Short: "List your tokens", Aliases: []string{"ls"},
		Example: "  medforge token list", Args: atMost(0),
	}, func(cmd *cobra.Command, _ []string) error {
		tokens, err := a.client.Tokens(cmd.Context())
		if err != nil {
			return err
		}
		return a.print.result(tokens, func() {
			if len(tokens) == 0 {
				a.print.tell("You have no token. Make one: medforge token create NAME")
				return
			}
			var rows [][]string
			for _, t := range tokens {
				rows = append(rows, []string{t.Label, timeText(t.CreatedAt), timeOrDash(t.LastUsed), endText(t), t.ID})
			}
			a.print.table([]string{"NAME", "MADE", "LAST USED", "ENDS", "ID"}, rows)
		})
	})
}

func (a *app) tokenRevoke() *cobra.Command {
	return a.run(&cobra.Command{
		Use: "revoke ID", Short: "End a token at once",
		Long:    "End a token at once, by its id or its name. Whatever it has open is cut off.",
		Example: "  medforge token revoke ci", Args: exactly("ID"), ValidArgsFunction: a.completeTokens(),
	}, func(cmd *cobra.Command, args []string) error {
		tokens, err := a.client.Tokens(cmd.Context())
		if err != nil {
			return err
		}
		id, err := tokenID(tokens, args[0])
		if err != nil {
			return err
		}
		if err := a.client.RevokeToken(cmd.Context(), id); err != nil {
			return err
		}
		said := api.Message{Message: fmt.Sprintf("Token %s revoked.", args[0])}
		return a.print.result(said, func() { a.print.line("%s", said.Message) })
	})
}

// tokenID finds the one token that is called so. What is none goes to the
// daemon as it is, which says so.
func tokenID(tokens []api.Token, ref string) (string, error) {
	var found []string
	for _, t := range tokens {
		if t.ID == ref {
			return ref, nil
		}
		if t.Label == ref {
			found = append(found, t.ID)
		}
	}
	switch len(found) {
	case 0:
		return ref, nil
	case 1:
		return found[0], nil
	}
	return "", usage("%d tokens are called %q. Give the id; medforge token list shows them.", len(found), ref)
}
