package fakeaccounts_test

import (
	"testing"

	"github.com/medforge/medforge/pkg/account"
	"github.com/medforge/medforge/pkg/porttest"
	"github.com/medforge/medforge/pkg/porttest/fakeaccounts"
)

// The fake keeps what the real stores keep.
func TestAccountStore(t *testing.T) {
	t.Parallel()
	porttest.AccountStore(t, func(*testing.T) account.Store { return &fakeaccounts.Store{} })
}
