package network

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/vishvananda/netlink"
)

// aliasPrefix begins the alias of every port of ours, so that one whose other
// traces are gone is still known.
const aliasPrefix = "medforge session "

func linkAlias(slug string) string { return aliasPrefix + slug }

// ports returns the bridge's ports; none when there is no bridge.
func (m *Manager) ports() ([]netlink.Link, error) {
	bridge, err := m.bridge()
	if bridge == nil || err != nil {
		return nil, err
	}
	links, err := whole(netlink.LinkList)
	if err != nil {
		return nil, fmt.Errorf("listing interfaces: %w", err)
	}
	var ports []netlink.Link
	for _, l := range links {
		if l.Attrs().MasterIndex == bridge.Attrs().Index {
			ports = append(ports, l)
		}
	}
	return ports, nil
}

// dumpTries bounds how often the kernel is asked for a list that others keep
// changing.
const dumpTries = 50

// whole asks again while the list that the kernel gives was changed by others
// while it was read.
func whole[T any](list func() ([]T, error)) (all []T, err error) {
	for range dumpTries {
		if all, err = list(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
	}
	return all, err
}

// bridge returns the bridge, or nil when there is none.
func (m *Manager) bridge() (netlink.Link, error) {
	l, err := netlink.LinkByName(m.c.Bridge)
	if notFound := (netlink.LinkNotFoundError{}); errors.As(err, &notFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("finding the bridge %s: %w", m.c.Bridge, err)
	}
	if _, ok := l.(*netlink.Bridge); !ok {
		return nil, fmt.Errorf("interface %s is a %s and not a bridge; name another one in the configuration", m.c.Bridge, l.Type())
	}
	return l, nil
}

func (m *Manager) addLinks(found map[string]bool) error {
	ports, err := m.ports()
	for _, p := range ports {
		if slug, ours := strings.CutPrefix(p.Attrs().Alias, aliasPrefix); ours {
			found[slug] = true
		}
	}
	return err
}

// deleteLinks deletes the session's ports.
func (m *Manager) deleteLinks(slug string) error {
	ports, err := m.ports()
	if err != nil {
		return err
	}
	for _, p := range ports {
		if p.Attrs().Alias != linkAlias(slug) {
			continue
		}
		err := netlink.LinkDel(p)
		if _, gone := netlink.LinkByIndex(p.Attrs().Index); err != nil && gone == nil {
			return fmt.Errorf("deleting the interface %s: %w", p.Attrs().Name, err)
		}
	}
	return nil
}

// deleteBridge deletes the bridge unless somebody else's port is on it.
func (m *Manager) deleteBridge() error {
	bridge, err := m.bridge()
	if bridge == nil || err != nil {
		return err
	}
	ports, err := m.ports()
	if err != nil || len(ports) > 0 {
		return err
	}
	if err := netlink.LinkDel(bridge); err != nil {
		return fmt.Errorf("deleting the bridge %s: %w", m.c.Bridge, err)
	}
	return nil
}

// A session's record is written when its network is whole.
func (m *Manager) recordDir() string             { return filepath.Join(m.c.RunDir, "attached") }
func (m *Manager) recordPath(slug string) string { return filepath.Join(m.recordDir(), slug) }

func (m *Manager) record(slug string, a Attachment) error {
	body, err := json.Marshal(a)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(m.recordDir(), 0o755); err != nil {
		return err
	}
	// Renamed into place: half a record must not be read as a whole one.
	tmp := m.recordPath("." + slug)
	if err := os.WriteFile(tmp, body, 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, m.recordPath(slug))
}

// attached reads a session's record and looks whether it is still true.
func (m *Manager) attached(slug string) (Attachment, bool) {
	body, err := os.ReadFile(m.recordPath(slug))
	var a Attachment
	if err != nil || json.Unmarshal(body, &a) != nil || !isNetNS(a.NetNS) {
		return Attachment{}, false
	}
	if m.c.LoopbackOnly {
		return a, true
	}
	ports, err := m.ports()
	for _, p := range ports {
		if p.Attrs().Name == a.HostLink && p.Attrs().Alias == linkAlias(slug) {
			return a, err == nil
		}
	}
	return Attachment{}, false
}

// forgetRecords removes the empty folders and CNI's own records when no session
// is left.
func (m *Manager) forgetRecords() error {
	// Not with all that is in it: those are mounts.
	if err := os.Remove(m.netnsDir()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, dir := range []string{m.recordDir(), m.cacheDir(), m.ipamDir()} {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	return nil
}
