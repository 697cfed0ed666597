package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/termtext"
)

func (a *app) adminCommand() *cobra.Command {
	stop := a.sessionStop()
	stop.Short = "Stop anybody's session; a snapshot keeps its files"
	stop.Example = "  medforge admin session stop k3v7q2xa"
	return a.group(&cobra.Command{
		Use: "admin", Short: "For the host's admins",
		Example: "  medforge admin pack list\n  medforge admin gpu disable 3",
	},
		a.group(&cobra.Command{
			Use: "pack", Short: "The images that sessions run", Example: "  medforge admin pack import default.tar",
		}, a.packImport(), a.packList(), a.packUse()),
		a.group(&cobra.Command{
			Use: "gpu", Short: "Take GPUs out and put them back", Example: "  medforge admin gpu disable 3",
		}, a.gpuSet(true), a.gpuSet(false)),
		a.group(&cobra.Command{
			Use: "session", Short: "Everybody's sessions", Example: "  medforge admin session list",
		}, a.sessionList(true), stop),
		a.adminUser(), a.adminCompetition(), a.adminSubmission(),
		a.reconcile(), a.backup(), a.restore(),
	)
}

func (a *app) packImport() *cobra.Command {
	return a.run(&cobra.Command{
		Use: "import FILE", Short: "Import an image from an OCI archive",
		Long: `Import an image from an OCI archive; - reads it from stdin. Every digest in it
is checked. The first Pack is used at once; a later one by: admin pack use.`,
		Example: "  medforge admin pack import default.tar", Args: exactly("FILE"),
	}, func(cmd *cobra.Command, args []string) error {
		return a.importPack(cmd.Context(), args[0])
	})
}

func (a *app) importPack(ctx context.Context, path string) error {
	in, size := a.Stdin, int64(-1)
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return usage("%v", err)
		}
		defer f.Close()
		st, err := f.Stat()
		if err != nil {
			return err
		}
		if st.IsDir() {
			return usage("%s is a folder. An OCI archive is a tar file.", path)
		}
		in, size = f, st.Size()
	}
	g := a.newProgress("Sending")
	defer g.close()
	// The connection's own copy reads from another goroutine; hiding the file
	// behind an io.Reader keeps its Close ours.
	pack, err := a.client.ImportPack(ctx, io.MultiReader(in), size, func(sent int64) {
		switch {
		case size < 0:
			g.say("Sent %s", termtext.Bytes(sent))
		case sent >= size:
			g.say("Checking and unpacking")
		default:
			g.say("Sent %s of %s (%d %%)", termtext.Bytes(sent), termtext.Bytes(size), 100*sent/size)
		}
	})
	g.close()
	if err != nil {
		return err
	}
	if pack.InUse {
		a.print.tell("New sessions run this Pack.")
	} else {
		a.print.tell("Imported. Have new sessions run it: medforge admin pack use %s", short(pack.Digest))
	}
	return a.print.result(pack, func() { a.print.line("%s", pack.Digest) })
}

// short is enough of a digest for people.
func short(digest string) string {
	algorithm, hex, _ := strings.Cut(digest, ":")
	if len(hex) > 12 {
		hex = hex[:12]
	}
	return algorithm + ":" + hex
}

func (a *app) packList() *cobra.Command {
	return a.run(&cobra.Command{
		Use: "list", Short: "List the imported images", Aliases: []string{"ls"},
		Example: "  medforge admin pack list", Args: atMost(0),
	}, func(cmd *cobra.Command, _ []string) error {
		packs, err := a.client.Packs(cmd.Context())
		if err != nil {
			return err
		}
		return a.print.result(packs, func() {
			if len(packs) == 0 {
				a.print.tell("No Pack is imported, so no session can start. Import one: medforge admin pack import FILE")
				return
			}
			var rows [][]string
			for _, p := range packs {
				use := "-"
				if p.InUse {
					use = "yes"
				}
				rows = append(rows, []string{p.ID, use, termtext.Bytes(p.SizeBytes), timeText(p.ImportedAt), p.Digest})
			}
			a.print.table([]string{"PACK", "IN USE", "SIZE", "IMPORTED", "DIGEST"}, rows)
		})
	})
}

func (a *app) packUse() *cobra.Command {
	return a.run(&cobra.Command{
		Use: "use DIGEST", Short: "Choose the image that new sessions run",
		Long:    "Choose the image that new sessions run, by its digest or enough of its start.\nSessions that run keep theirs.",
		Example: "  medforge admin pack use sha256:9f86d081884c", Args: exactly("DIGEST"),
		ValidArgsFunction: a.completePacks(),
	}, func(cmd *cobra.Command, args []string) error {
		packs, err := a.client.Packs(cmd.Context())
		if err != nil {
			return err
		}
		digest, err := resolve(packs, args[0])
		if err != nil {
			return err
		}
		if err := a.client.UsePack(cmd.Context(), digest); err != nil {
			return err
		}
		m := api.Message{Message: fmt.Sprintf("New sessions run %s.", digest)}
		return a.print.result(m, func() { a.print.line("%s", m.Message) })
	})
}

// resolve finds the one digest that begins so. What matches none goes to the
// daemon as it is, which says so.
func resolve(packs []api.Pack, want string) (string, error) {
	var found []string
	for _, p := range packs {
		_, hex, _ := strings.Cut(p.Digest, ":")
		if p.Digest == want {
			return want, nil
		}
		if strings.HasPrefix(p.Digest, want) || strings.HasPrefix(hex, want) {
			found = append(found, p.Digest)
		}
	}
	switch len(found) {
	case 0:
		return want, nil
	case 1:
		return found[0], nil
	}
	return "", usage("%q can mean %d Packs. Give more of the digest; medforge admin pack list shows them.", want, len(found))
}

func (a *app) gpuSet(enable bool) *cobra.Command {
	verb, what := "disable", "Give a GPU to no new session; one that has it keeps it"
	if enable {
		verb, what = "enable", "Let a GPU take sessions again; this ends a quarantine too"
	}
	return a.run(&cobra.Command{
		Use: verb + " GPU", Short: what,
		Long:    what + ".\nThe GPU is named by its number in medforge gpu list, or its UUID.",
		Example: "  medforge admin gpu " + verb + " 3", Args: exactly("GPU"), ValidArgsFunction: a.completeGPUs(),
	}, func(cmd *cobra.Command, args []string) error {
		if err := a.client.SetGPU(cmd.Context(), args[0], enable); err != nil {
			return err
		}
		m := api.Message{Message: fmt.Sprintf("GPU %s %sd.", args[0], verb)}
		return a.print.result(m, func() { a.print.line("%s", m.Message) })
	})
}

func (a *app) reconcile() *cobra.Command {
	return a.run(&cobra.Command{
		Use: "reconcile", Short: "Look for what has lost its counterpart, now",
		Long: `Compare what the database says with what stands on the host, clean what can be
cleaned without losing anything, and list the rest. The daemon does this by
itself too; workspaces are only ever listed.`,
		Example: "  medforge admin reconcile", Args: atMost(0),
	}, func(cmd *cobra.Command, _ []string) error {
		r, err := a.client.Reconcile(cmd.Context())
		if err != nil {
			return err
		}
		return a.print.result(r, func() {
			if len(r.Orphans) == 0 {
				a.print.line("Rows and reality agree; %d active.", r.Active)
				return
			}
			var rows [][]string
			for _, o := range r.Orphans {
				done := "reported"
				if o.Removed {
					done = "removed"
				}
				rows = append(rows, []string{o.Kind, o.Name, done, o.Why})
			}
			a.print.table([]string{"KIND", "NAME", "DONE", "WHY"}, rows)
		})
	})
}
