package doctor

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/medforge/medforge/pkg/api"
)

// What takes controllers away from a Debian that has them (its kernel's words).
const (
	mendV1 = "in /etc/default/grub take systemd.unified_cgroup_hierarchy=0 and SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1 out; then update-grub, and restart the host"
	mendV2 = "in /etc/default/grub take cgroup_disable= out; then update-grub, and restart the host"
)

// controlGroups looks for the controllers that runc sets a session's limits with:
// without one of them runc starts no session, and names only a file that it misses.
// Newer kernels, such as Debian 13's, have none for memory in version 1.
func (h Host) controlGroups(context.Context) api.Check {
	const name = "control groups"
	dir := h.Root + "/sys/fs/cgroup"
	raw, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil && !os.IsNotExist(err) {
		return warn(name, "", "cannot be seen: %v", err)
	}
	version, mend, needed := "2", mendV2, []string{"cpu", "memory", "pids"}
	has := func(controller string) bool { return slices.Contains(strings.Fields(string(raw)), controller) }
	if err != nil {
		// In version 1 each has a hierarchy of its own, and devices are one more.
		version, mend, needed = "1", mendV1, []string{"cpu", "devices", "memory", "pids"}
		has = func(controller string) bool {
			_, err := os.Stat(filepath.Join(dir, controller, "cgroup.procs"))
			return err == nil
		}
	}
	if missing := slices.DeleteFunc(slices.Clone(needed), has); len(missing) > 0 {
		return fail(name, mend, "version %s at %s, without %s: no session can start", version, dir, strings.Join(missing, ", "))
	}
	return ok(name, "version %s, with %s", version, strings.Join(needed, ", "))
}
