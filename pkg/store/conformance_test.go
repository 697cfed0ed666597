package store_test

import (
	"strings"
	"testing"

	"github.com/medforge/medforge/pkg/account"
	"github.com/medforge/medforge/pkg/porttest"
	"github.com/medforge/medforge/pkg/session"
	"github.com/medforge/medforge/pkg/store"
	"github.com/medforge/medforge/pkg/store/storetest"
)

// engines are the two real databases, each migrated.
var engines = map[string]func(testing.TB) *store.DB{"sqlite": storetest.New, "mariadb": storetest.MariaDB}

func each(t *testing.T, f func(t *testing.T, open func(testing.TB) *store.DB)) {
	t.Helper()
	for name, open := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, open)
		})
	}
}

func TestSessionStore(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func(testing.TB) *store.DB) {
		porttest.SessionStore(t, func(t *testing.T) session.Store { return open(t).Sessions() })
	})
}

func TestAccountStore(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func(testing.TB) *store.DB) {
		porttest.AccountStore(t, func(t *testing.T) account.Store { return open(t).Accounts() })
	})
}

func TestCompetitionStore(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, open func(testing.TB) *store.DB) {
		porttest.CompetitionStore(t, func(t *testing.T) porttest.CompetitionKit {
			db := open(t)
			db.SetBlockMax(3) // every test cuts blocks
			t.Cleanup(func() { checkBlocks(t, db) })
			return porttest.CompetitionKit{Store: db.Competitions(), Accounts: db.Accounts()}
		})
	})
}

// checkBlocks compares what the blocks of all boards count with the entries.
func checkBlocks(t *testing.T, db *store.DB) {
	t.Helper()
	rows, err := db.Blocks()
	fail(t, err)
	cut := false
	for _, r := range rows {
		cut = cut || r.Low != strings.Repeat("0", 64)
		if r.Counted != r.There {
			t.Errorf("board %s, block from %s: %d entries are counted and %d are there", r.Board, r.Low, r.Counted, r.There)
		}
		if r.There > 4 {
			t.Errorf("board %s, block from %s has %d entries", r.Board, r.Low, r.There)
		}
	}
	if len(rows) > 3 && !cut {
		t.Error("no block was cut")
	}
}
