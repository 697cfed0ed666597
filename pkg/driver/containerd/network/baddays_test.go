package network_test

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/medforge/medforge/pkg/driver/containerd/network"
	"github.com/medforge/medforge/pkg/testkit/nettest"
)

// TestForwardPolicyDrop runs on a host whose iptables drop what they do not
// know, as Docker leaves it.
func TestForwardPolicyDrop(t *testing.T) {
	t.Parallel()
	nettest.InNew(t, func() error {
		iptables := func(args ...string) string {
			out, err := exec.Command("iptables", append([]string{"-w"}, args...)...).CombinedOutput()
			if err != nil {
				t.Errorf("iptables %v: %v\n%s", args, err, out)
			}
			return string(out)
		}
		iptables("-P", "FORWARD", "DROP")
		iptables("-A", "FORWARD", "-i", "docker0", "-j", "ACCEPT")
		before := iptables("-S", "FORWARD")
		m, c := newManager(t, nil)
		a, b := attach(t, m, "aaaaaaaa"), attach(t, m, "bbbbbbbb")
		outside := nettest.New(t)
		wantReach(t, a, outside.Serve(t, "outside"), "outside")
		wantNoReach(t, a, serveAt(t, b.NetNS, netip.AddrPortFrom(b.Address, 0), "session b"))
		if rules := iptables("-S", "FORWARD"); strings.Count(rules, c.Bridge) != 2 {
			t.Errorf("FORWARD holds\n%s", rules)
		}
		for _, slug := range []string{"aaaaaaaa", "bbbbbbbb"} {
			if err := m.Detach(context.Background(), slug); err != nil {
				return err
			}
		}
		if after := iptables("-S", "FORWARD"); after != before {
			t.Errorf("FORWARD was\n%sand is\n%s", before, after)
		}
		return nil
	})
}

// TestRepair takes the rules away under running sessions, as a firewall that is
// reloaded does.
func TestRepair(t *testing.T) {
	t.Parallel()
	nettest.InNew(t, func() error {
		m, c := newManager(t, nil)
		a := attach(t, m, "aaaaaaaa")
		host := nettest.Serve(t, netip.AddrPortFrom(c.Subnet.Addr().Next(), 0), "host")
		wantNoReach(t, a, host)
		conn, err := nftables.New()
		if err != nil {
			return err
		}
		conn.FlushRuleset()
		if err := conn.Flush(); err != nil {
			return err
		}
		wantReach(t, a, host, "host") // without rules nothing forbids it
		if err := m.Repair(context.Background()); err != nil {
			return err
		}
		wantNoReach(t, a, host)
		return m.Detach(context.Background(), "aaaaaaaa")
	})
}

// TestLeftovers makes what a crash can leave, each alone, and wants it found
// and taken away.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	tests := map[string]func(t *testing.T, c network.Config, a network.Attachment){
		"no record": func(t *testing.T, c network.Config, _ network.Attachment) {
			remove(t, filepath.Join(c.RunDir, "attached", "aaaaaaaa"))
		},
		"no namespace": func(t *testing.T, _ network.Config, a network.Attachment) {
			if err := unix.Unmount(a.NetNS, unix.MNT_DETACH); err != nil {
				t.Fatal(err)
			}
			remove(t, a.NetNS)
		},
		"a file instead of the namespace": func(t *testing.T, _ network.Config, a network.Attachment) {
			if err := unix.Unmount(a.NetNS, unix.MNT_DETACH); err != nil {
				t.Fatal(err)
			}
		},
		"no address": func(t *testing.T, c network.Config, a network.Attachment) {
			remove(t, filepath.Join(c.RunDir, "ipam", c.Bridge, a.Address.String()))
		},
		"half a record of CNI's": func(t *testing.T, c network.Config, _ network.Attachment) {
			files, err := filepath.Glob(filepath.Join(c.RunDir, "cni", "results", "*aaaaaaaa*"))
			if err != nil || len(files) != 1 {
				t.Fatalf("CNI's records: %v, %v", files, err)
			}
			if err := os.WriteFile(files[0], []byte("{\"kind\":\"cniCa"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"only the interface": func(t *testing.T, c network.Config, a network.Attachment) {
			keepAlive(t, a.NetNS)
			if err := unix.Unmount(a.NetNS, unix.MNT_DETACH); err != nil {
				t.Fatal(err)
			}
			for _, dir := range []string{"netns", "attached", "ipam", "cni"} {
				if err := os.RemoveAll(filepath.Join(c.RunDir, dir)); err != nil {
					t.Fatal(err)
				}
			}
		},
		"no bridge": func(t *testing.T, c network.Config, _ network.Attachment) {
			l, err := netlink.LinkByName(c.Bridge)
			if err != nil {
				t.Fatal(err)
			}
			if err := netlink.LinkDel(l); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, crash := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := context.Background()
			m, c := newManager(t, nil)
			for _, again := range []bool{false, true} {
				a := attach(t, m, "aaaaaaaa")
				crash(t, c, a)
				if slugs, err := m.List(ctx); err != nil || !slices.Equal(slugs, []string{"aaaaaaaa"}) {
					t.Fatalf("List = %v, %v: what is left is not found", slugs, err)
				}
				if again { // a repeated start makes it whole
					a = attach(t, m, "aaaaaaaa")
					wantReach(t, a, nettest.New(t).Serve(t, "outside"), "outside")
				}
				if err := m.Detach(ctx, "aaaaaaaa"); err != nil {
					t.Fatalf("Detach: %v", err)
				}
				assertNothing(t, c)
			}
		})
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// keepAlive holds a network namespace open, as a process that will not die
// does.
func keepAlive(t *testing.T, path string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
}

func TestLoopbackOnly(t *testing.T) {
	t.Parallel()
	m, c := newManager(t, func(c *network.Config) {
		c.LoopbackOnly = true
		c.PluginDirs = []string{t.TempDir()} // none needed
	})
	a := attach(t, m, "aaaaaaaa")
	wantNoReach(t, a, nettest.New(t).Serve(t, "outside"))
	inside := serveAt(t, a.NetNS, netip.MustParseAddrPort("127.0.0.1:0"), "own")
	wantReach(t, a, inside, "own")
	if slugs, err := m.List(context.Background()); err != nil || len(slugs) != 1 {
		t.Errorf("List = %v, %v", slugs, err)
	}
	if err := m.Detach(context.Background(), "aaaaaaaa"); err != nil {
		t.Fatal(err)
	}
	assertNothing(t, c)
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	m, c := newManager(t, func(c *network.Config) { c.PluginDirs = []string{t.TempDir()} })
	_, err := m.Attach(context.Background(), "aaaaaaaa")
	var missing *network.PluginError
	if !errors.As(err, &missing) || missing.Plugin != "bridge" || !strings.Contains(err.Error(), "containernetworking-plugins") {
		t.Errorf("without plugins: %v", err)
	}
	// The half that was made is taken back although no plugin can help.
	if slugs, err := m.List(context.Background()); err != nil || len(slugs) != 0 {
		t.Errorf("List after a refused Attach = %v, %v", slugs, err)
	}
	for name, bad := range map[string]network.Config{
		"long bridge":  {RunDir: c.RunDir, Bridge: strings.Repeat("x", 16)},
		"relative":     {RunDir: "run"},
		"IPv6":         {RunDir: c.RunDir, Subnet: netip.MustParsePrefix("fd00::/64")},
		"tiny":         {RunDir: c.RunDir, Subnet: netip.MustParsePrefix("10.0.0.0/30")},
		"IPv6 in deny": {RunDir: c.RunDir, Deny: []netip.Prefix{netip.MustParsePrefix("fd00::/8")}},
	} {
		if _, err := network.New(bad); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}
