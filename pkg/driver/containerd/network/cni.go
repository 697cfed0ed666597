package network

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/containernetworking/cni/libcni"
	types100 "github.com/containernetworking/cni/pkg/types/100"
	"github.com/vishvananda/netlink"
)

// ifName is the session's interface.
const ifName = "eth0"

// cniVersion is what every packaged set of plugins since 1.0 speaks.
const cniVersion = "1.0.0"

// defaultPluginDirs are Debian's and everybody else's.
func defaultPluginDirs() []string { return []string{"/usr/lib/cni", "/opt/cni/bin"} }

// PluginError says that a CNI plugin is missing.
type PluginError struct {
	Plugin string
	Dirs   []string
}

func (e *PluginError) Error() string {
	return fmt.Sprintf("the CNI plugin %q is in none of %s; install Debian's package containernetworking-plugins, or name the folder that holds it",
		e.Plugin, strings.Join(e.Dirs, ", "))
}

// FindPlugins returns the folders to look for plugins in, or a *PluginError if
// one of the needed ones is in none of them. No dirs: the usual places.
func FindPlugins(dirs []string) ([]string, error) {
	if len(dirs) == 0 {
		dirs = defaultPluginDirs()
	}
	for _, plugin := range []string{"bridge", "host-local"} {
		found := false
		for _, dir := range dirs {
			if st, err := os.Stat(filepath.Join(dir, plugin)); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
				found = true
				break
			}
		}
		if !found {
			return nil, &PluginError{Plugin: plugin, Dirs: dirs}
		}
	}
	return dirs, nil
}

func (m *Manager) cacheDir() string { return filepath.Join(m.c.RunDir, "cni") }
func (m *Manager) ipamDir() string  { return filepath.Join(m.c.RunDir, "ipam") }

// containerID is the session's name towards CNI.
func containerID(slug string) string { return "medforge-" + slug }

func (m *Manager) cni() (*libcni.CNIConfig, *libcni.NetworkConfigList, error) {
	dirs, err := FindPlugins(m.c.PluginDirs)
	if err != nil {
		return nil, nil, err
	}
	bridge := map[string]any{
		"type":             "bridge",
		"bridge":           m.c.Bridge,
		"isGateway":        true,
		"isDefaultGateway": true,
		"ipMasq":           false, // our table does it, see rules.go
		"hairpinMode":      false,
		"ipam": map[string]any{
			"type":    "host-local",
			"dataDir": m.ipamDir(),
			"ranges":  [][]map[string]string{{{"subnet": m.c.Subnet.String()}}},
		},
	}
	if mtu := uplinkMTU(); mtu > 0 {
		bridge["mtu"] = mtu
	}
	raw, err := json.Marshal(map[string]any{
		"cniVersion": cniVersion,
		"name":       m.c.Bridge,
		"plugins":    []any{bridge},
	})
	if err != nil {
		return nil, nil, err
	}
	list, err := libcni.NetworkConfFromBytes(raw)
	if err != nil {
		return nil, nil, err
	}
	return libcni.NewCNIConfigWithCacheDir(dirs, m.cacheDir(), nil), list, nil
}

func (m *Manager) runtimeConf(slug, netns string) *libcni.RuntimeConf {
	return &libcni.RuntimeConf{ContainerID: containerID(slug), NetNS: netns, IfName: ifName, CacheDir: m.cacheDir()}
}

// cniAdd makes eth0 in the namespace and returns the bridge's port and the
// address.
func (m *Manager) cniAdd(ctx context.Context, slug, netns string) (port string, address netip.Addr, err error) {
	cni, list, err := m.cni()
	if err != nil {
		return "", netip.Addr{}, err
	}
	raw, err := cni.AddNetworkList(ctx, list, m.runtimeConf(slug, netns))
	if err != nil {
		return "", netip.Addr{}, fmt.Errorf("CNI: %w", err)
	}
	result, err := types100.NewResultFromResult(raw)
	if err != nil {
		return "", netip.Addr{}, fmt.Errorf("CNI's result: %w", err)
	}
	for _, i := range result.Interfaces {
		if i.Sandbox == "" && i.Name != m.c.Bridge {
			port = i.Name
		}
	}
	for _, ip := range result.IPs {
		if a, ok := netip.AddrFromSlice(ip.Address.IP.To4()); ok {
			address = a
		}
	}
	if port == "" || !address.IsValid() {
		return "", netip.Addr{}, fmt.Errorf("CNI's result names no port or no address: %v", raw)
	}
	return port, address, nil
}

// cniDel takes eth0 and the address back.
func (m *Manager) cniDel(ctx context.Context, slug, netns string) error {
	cni, list, err := m.cni()
	if err != nil {
		return err
	}
	if !isNetNS(netns) {
		netns = "" // gone: the plugins then only give the address back
	}
	conf := m.runtimeConf(slug, netns)
	err = cni.DelNetworkList(ctx, list, conf)
	if err != nil && ctx.Err() == nil {
		// A record that was cut short, by a daemon killed while it wrote it,
		// must not keep the address for ever. The plugins do without it.
		record := filepath.Join(m.cacheDir(), "results", strings.Join([]string{m.c.Bridge, containerID(slug), ifName}, "-"))
		if rm := os.Remove(record); rm == nil {
			err = cni.DelNetworkList(ctx, list, conf)
		}
	}
	if err != nil {
		return fmt.Errorf("CNI: %w", err)
	}
	return nil
}

// addLeases finds host-local's records: files named by the address whose first
// line is the container's id.
func (m *Manager) addLeases(found map[string]bool) error {
	dir := filepath.Join(m.ipamDir(), m.c.Bridge)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if _, err := netip.ParseAddr(e.Name()); err != nil {
			continue // its lock, and the last address it gave
		}
		body, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		id, _, _ := strings.Cut(string(body), "\n")
		if slug, ours := strings.CutPrefix(strings.TrimSpace(id), containerID("")); ours {
			found[slug] = true
		}
	}
	return nil
}

func (m *Manager) leased(slug string) (bool, error) {
	found := map[string]bool{}
	err := m.addLeases(found)
	return found[slug], err
}

// uplinkMTU is the MTU of the interface that the default route leaves by, so
// that sessions do not send packets that are too big for it; 0 when there is no
// such route.
func uplinkMTU() int {
	routes, err := whole(func() ([]netlink.Route, error) { return netlink.RouteList(nil, netlink.FAMILY_V4) })
	if err != nil {
		return 0
	}
	for _, r := range routes {
		if r.Dst != nil && !r.Dst.IP.IsUnspecified() {
			continue
		}
		if link, err := netlink.LinkByIndex(r.LinkIndex); err == nil {
			return link.Attrs().MTU
		}
	}
	return 0
}
