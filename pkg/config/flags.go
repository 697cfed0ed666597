package config

import (
	"slices"

	"github.com/spf13/pflag"
)

// AddFlags adds a flag for every key, named after it, that Load takes from the
// set. The few that are often wanted are shown in the help.
func AddFlags(flags *pflag.FlagSet) {
	shown := []string{"domain", "data_dir", "socket", "http.listen", "workspace.driver", "gpu.driver", "log.level"}
	for _, k := range keys() {
		name := flagName(k.name)
		flags.String(name, "", "overrides "+k.name)
		if !slices.Contains(shown, k.name) {
			flags.Lookup(name).Hidden = true
		}
	}
}
