package kill

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/medforge/medforge/pkg/store"
	"github.com/medforge/medforge/pkg/store/storetest"
)

// medforged migrate is killed at one moment after another, and run again until
// it ends: the database is then as one that was never interrupted, and another
// run changes nothing.
func TestMigrateKilled(t *testing.T) {
	t.Parallel()
	seed := uint64(number(t, "MEDFORGE_KILL_SEED", time.Now().UnixNano()%1_000_000))
	path, err := program()
	must(t, err)
	storetest.Both(t, func(t *testing.T, cfg store.Config) {
		t.Logf("seed %d; again: MEDFORGE_KILL_SEED=%d go test -run '%s' ./test/kill", seed, seed, t.Name())
		rng := rand.New(rand.NewPCG(seed, 2))
		dir := t.TempDir()
		database := fmt.Sprintf("driver = %q\n", cfg.Driver)
		if cfg.Driver == store.SQLite {
			cfg.Path = filepath.Join(dir, "medforge.db")
		} else {
			database += fmt.Sprintf("dsn = %q\n", cfg.DSN)
		}
		config := filepath.Join(dir, "medforged.toml")
		must(t, os.WriteFile(config, fmt.Appendf(nil, "domain = \"localhost\"\ndata_dir = %q\n[workspace]\ndriver = \"dir\"\n[database]\n%s", dir, database), 0o600))
		migrate := func() *exec.Cmd { return exec.CommandContext(t.Context(), path, "migrate", "--config", config) }
		// How long an undisturbed one takes is found as we go: each that ends
		// by itself was given too long.
		longest := 200 * time.Millisecond
		for kills := 0; kills < 12; {
			cmd := migrate()
			must(t, cmd.Start())
			time.Sleep(time.Duration(rng.Int64N(int64(longest)))) // the moment of the kill
			_ = cmd.Process.Kill()
			if err := cmd.Wait(); err == nil {
				longest = longest * 9 / 10
				if longest < 10*time.Millisecond {
					break
				}
				continue
			}
			kills++
		}
		want := fmt.Sprintf("The database is at version %d.\n", store.Target())
		for range 2 {
			var out, errOut bytes.Buffer
			cmd := migrate()
			cmd.Stdout, cmd.Stderr = &out, &errOut
			if err := cmd.Run(); err != nil || out.String() != want {
				t.Fatalf("migrate after kills: %v, %q\n%s", err, out.String(), errOut.String())
			}
		}
		killed, err := store.Open(t.Context(), cfg, slog.New(slog.DiscardHandler))
		must(t, err)
		defer killed.Close()
		if got, want := shape(t, killed), shape(t, storetest.New(t)); got != want {
			t.Errorf("the tables are\n%s\nwant\n%s", got, want)
		}
	})
}

// shape is a dump's tables with their columns.
func shape(t *testing.T, db *store.DB) string {
	t.Helper()
	var b bytes.Buffer
	must(t, db.Dump(t.Context(), &b, time.Unix(0, 0)))
	lines := strings.SplitAfter(b.String(), "\n")
	return strings.Join(lines[1:len(lines)-2], "")
}
