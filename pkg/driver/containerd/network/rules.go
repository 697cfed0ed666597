package network

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// ipsDstNAT is IPS_DST_NAT of the kernel's nf_conntrack_common.h: the
// destination of this connection was rewritten.
const ipsDstNAT = 1 << 5

const dnsPort = 53

func (m *Manager) tableName() string { return "medforge-" + m.c.Bridge }

// ensureRules writes the table unless it stands there as it must. Replacing is
// one transaction: there is no moment without rules.
func (m *Manager) ensureRules() error {
	resolvers, err := m.hostResolvers()
	if err != nil {
		return err
	}
	conn, err := nftables.New()
	if err != nil {
		return explainNetfilter(err)
	}
	table := &nftables.Table{Name: m.tableName(), Family: nftables.TableFamilyINet}
	chains := m.chains(table, resolvers)
	same, err := standing(conn, table, chains)
	if err != nil {
		return explainNetfilter(err)
	}
	if same {
		return nil
	}
	conn.AddTable(table) // so that there is one to delete
	conn.DelTable(table)
	conn.AddTable(table)
	for _, c := range chains {
		conn.AddChain(c.Chain)
		for _, r := range c.rules {
			conn.AddRule(&nftables.Rule{Table: table, Chain: c.Chain, Exprs: r})
		}
	}
	return explainNetfilter(conn.Flush())
}

// deleteRules removes the table.
func (m *Manager) deleteRules() error {
	conn, err := nftables.New()
	if err != nil {
		return explainNetfilter(err)
	}
	table := &nftables.Table{Name: m.tableName(), Family: nftables.TableFamilyINet}
	conn.AddTable(table) // so that there is one to delete
	conn.DelTable(table)
	return explainNetfilter(conn.Flush())
}

func explainNetfilter(err error) error {
	if errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.EOPNOTSUPP) {
		return fmt.Errorf("this kernel has no nf_tables, which keeps sessions away from the host: %w", err)
	}
	return err
}

// chain is a base chain and what is in it.
type chain struct {
	*nftables.Chain
	rules [][]expr.Any
}

// standing reports whether the table holds these chains with as many rules
// each, and the same holes for name servers, which are the only part that
// changes.
func standing(conn *nftables.Conn, table *nftables.Table, want []chain) (bool, error) {
	tables, err := conn.ListTablesOfFamily(table.Family)
	if err != nil {
		return false, err
	}
	if !slices.ContainsFunc(tables, func(t *nftables.Table) bool { return t.Name == table.Name }) {
		return false, nil
	}
	for _, c := range want {
		got, err := conn.GetRules(table, c.Chain)
		if errors.Is(err, unix.ENOENT) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if len(got) != len(c.rules) {
			return false, nil
		}
		for i := range got {
			if !slices.Equal(compared(got[i].Exprs), compared(c.rules[i])) {
				return false, nil
			}
		}
	}
	return true, nil
}

// compared is the constants that a rule compares with: enough to tell our rules
// apart.
func compared(exprs []expr.Any) []string {
	var data []string
	for _, e := range exprs {
		if c, ok := e.(*expr.Cmp); ok {
			data = append(data, fmt.Sprintf("%d %x", c.Op, c.Data))
		}
	}
	return data
}

// chains is the whole table. Read it with "nft list table inet
// medforge-<bridge>".
func (m *Manager) chains(table *nftables.Table, resolvers []netip.Addr) []chain {
	base := func(name string, kind nftables.ChainType, hook *nftables.ChainHook, prio *nftables.ChainPriority) *nftables.Chain {
		return &nftables.Chain{Name: name, Table: table, Type: kind, Hooknum: hook, Priority: prio}
	}
	in, out := m.fromBridge(), m.toBridge()

	// What sessions send to the host itself.
	input := chain{Chain: base("input", nftables.ChainTypeFilter, nftables.ChainHookInput, nftables.ChainPriorityFilter)}
	for _, r := range resolvers {
		for _, proto := range []byte{unix.IPPROTO_UDP, unix.IPPROTO_TCP} {
			input.rules = append(input.rules, rule(in, isIPv4(), destination(netip.PrefixFrom(r, r.BitLen())), port(proto, dnsPort), verdict(expr.VerdictAccept)))
		}
	}
	input.rules = append(input.rules, rule(in, verdict(expr.VerdictDrop)))

	// What the host passes on for sessions, and to them.
	forward := chain{Chain: base("forward", nftables.ChainTypeFilter, nftables.ChainHookForward, nftables.ChainPriorityFilter)}
	forward.rules = [][]expr.Any{
		rule(in, isIPv6(), verdict(expr.VerdictDrop)),
		rule(in, isIPv4(), source(m.c.Subnet, expr.CmpOpNeq), verdict(expr.VerdictDrop)),
		// What the host publishes for others by rewriting the destination
		// (Docker's published ports) is a service on the host.
		rule(in, ctMask(expr.CtKeySTATUS, ipsDstNAT), verdict(expr.VerdictDrop)),
	}
	for _, p := range m.c.Deny {
		forward.rules = append(forward.rules, rule(in, isIPv4(), destination(p), verdict(expr.VerdictDrop)))
	}
	forward.rules = append(forward.rules,
		rule(out, ctMask(expr.CtKeySTATE, expr.CtStateBitESTABLISHED|expr.CtStateBitRELATED), verdict(expr.VerdictAccept)),
		// Whoever begins to talk to a session: others, the next session too.
		rule(out, verdict(expr.VerdictDrop)),
	)

	nat := chain{Chain: base("postrouting", nftables.ChainTypeNAT, nftables.ChainHookPostrouting, nftables.ChainPriorityNATSource)}
	nat.rules = [][]expr.Any{
		rule(isIPv4(), source(m.c.Subnet, expr.CmpOpEq), m.notToBridge(), []expr.Any{&expr.Masq{}}),
	}
	return []chain{input, forward, nat}
}

func rule(parts ...[]expr.Any) []expr.Any { return slices.Concat(parts...) }

func (m *Manager) fromBridge() []expr.Any {
	return ifName16(expr.MetaKeyIIFNAME, expr.CmpOpEq, m.c.Bridge)
}
func (m *Manager) toBridge() []expr.Any {
	return ifName16(expr.MetaKeyOIFNAME, expr.CmpOpEq, m.c.Bridge)
}
func (m *Manager) notToBridge() []expr.Any {
	return ifName16(expr.MetaKeyOIFNAME, expr.CmpOpNeq, m.c.Bridge)
}

func ifName16(key expr.MetaKey, op expr.CmpOp, name string) []expr.Any {
	padded := make([]byte, unix.IFNAMSIZ)
	copy(padded, name)
	return []expr.Any{&expr.Meta{Key: key, Register: 1}, &expr.Cmp{Op: op, Register: 1, Data: padded}}
}

func isIPv4() []expr.Any { return protocol(unix.NFPROTO_IPV4) }
func isIPv6() []expr.Any { return protocol(unix.NFPROTO_IPV6) }

func protocol(p byte) []expr.Any {
	return []expr.Any{&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{p}}}
}

// The offsets are those of IPv4's header (RFC 791).
func source(p netip.Prefix, op expr.CmpOp) []expr.Any { return address(12, p, op) }
func destination(p netip.Prefix) []expr.Any           { return address(16, p, expr.CmpOpEq) }

func address(offset uint32, p netip.Prefix, op expr.CmpOp) []expr.Any {
	return []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: net.IPv4len},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: net.IPv4len, Mask: net.CIDRMask(p.Bits(), 32), Xor: make([]byte, net.IPv4len)},
		&expr.Cmp{Op: op, Register: 1, Data: p.Masked().Addr().AsSlice()},
	}
}

// port matches a destination port of TCP or UDP, whose headers agree there.
func port(proto byte, number uint16) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{proto}},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{byte(number >> 8), byte(number)}},
	}
}

// ctMask matches when any of the bits is set in the connection's state or
// status.
func ctMask(key expr.CtKey, bits uint32) []expr.Any {
	return []expr.Any{
		&expr.Ct{Key: key, Register: 1},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: binaryutil.NativeEndian.PutUint32(bits), Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: make([]byte, 4)},
	}
}

func verdict(kind expr.VerdictKind) []expr.Any {
	return []expr.Any{&expr.Counter{}, &expr.Verdict{Kind: kind}}
}
