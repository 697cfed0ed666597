package network

import (
	"bytes"
	"errors"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// A drop in any table is final and an accept in ours is not. So where the chain
// FORWARD of iptables drops what it does not know, as Docker makes it, the
// bridge's traffic has to be accepted there too; what must be dropped is still
// dropped by our own table. Rules of the old iptables-legacy are not visible
// through nf_tables: such a host needs "iptables-legacy -I FORWARD -i <bridge>
// -j ACCEPT" and its counterpart from its administrator.

// forwardMark is the user data that marks our rules in somebody else's chain.
func (m *Manager) forwardMark() []byte { return []byte("medforge " + m.c.Bridge) }

// iptablesForward returns the FORWARD chain of iptables, or nil.
func iptablesForward(conn *nftables.Conn) (*nftables.Chain, error) {
	chains, err := conn.ListChainsOfTableFamily(nftables.TableFamilyIPv4)
	if err != nil {
		return nil, explainNetfilter(err)
	}
	for _, c := range chains {
		if c.Table.Name == "filter" && c.Name == "FORWARD" {
			return c, nil
		}
	}
	return nil, nil
}

func (m *Manager) ourForwardRules(conn *nftables.Conn, c *nftables.Chain) ([]*nftables.Rule, error) {
	all, err := conn.GetRules(c.Table, c)
	if errors.Is(err, unix.ENOENT) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var ours []*nftables.Rule
	for _, r := range all {
		if bytes.Equal(r.UserData, m.forwardMark()) {
			ours = append(ours, r)
		}
	}
	return ours, nil
}

// openForward puts our two rules at the head of a FORWARD chain that drops.
func (m *Manager) openForward() error {
	conn, err := nftables.New()
	if err != nil {
		return explainNetfilter(err)
	}
	c, err := iptablesForward(conn)
	if err != nil || c == nil || c.Policy == nil || *c.Policy != nftables.ChainPolicyDrop {
		return err
	}
	ours, err := m.ourForwardRules(conn, c)
	if err != nil || len(ours) == 2 {
		return err
	}
	for _, r := range ours {
		if err := conn.DelRule(r); err != nil {
			return err
		}
	}
	// Only what iptables itself can read: with anything else in it the whole
	// chain is "incompatible" to its tools. That only answers come in is our
	// own table's rule.
	for _, match := range [][]expr.Any{m.fromBridge(), m.toBridge()} {
		conn.InsertRule(&nftables.Rule{Table: c.Table, Chain: c, Exprs: rule(match, verdict(expr.VerdictAccept)), UserData: m.forwardMark()})
	}
	return conn.Flush()
}

// closeForward takes our rules out of it.
func (m *Manager) closeForward() error {
	conn, err := nftables.New()
	if err != nil {
		return explainNetfilter(err)
	}
	c, err := iptablesForward(conn)
	if err != nil || c == nil {
		return err
	}
	ours, err := m.ourForwardRules(conn, c)
	if err != nil || len(ours) == 0 {
		return err
	}
	for _, r := range ours {
		if err := conn.DelRule(r); err != nil {
			return err
		}
	}
	return conn.Flush()
}
