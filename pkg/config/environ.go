package config

import (
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// environment finds the variables with the prefix.
func environment(table []key, from source) (map[string]string, []mistake) {
	environ := from.environ
	if environ == nil {
		environ = os.Environ()
	}
	names := map[string]string{}
	var known []string
	for _, k := range table {
		names[envName(from.prefix, k.name)] = k.name
		known = append(known, envName(from.prefix, k.name))
	}
	found := map[string]string{}
	var mistakes []mistake
	for _, kv := range slices.Sorted(slices.Values(environ)) {
		name, value, _ := strings.Cut(kv, "=")
		switch key, ok := names[name]; {
		case ok && value != "":
			found[key] = value
		case !ok && from.strict && strings.HasPrefix(name, from.prefix) && name != from.prefix+"CONFIG":
			mistakes = append(mistakes, mistake{place{"environment " + name, 0, fromEnvironment}, "unknown", "no setting has this name" + didYouMean(name, known)})
		}
	}
	return found, mistakes
}

func envName(prefix, key string) string {
	return prefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

func flagName(key string) string { return strings.NewReplacer(".", "-", "_", "-").Replace(key) }

func lookupFlag(flags *pflag.FlagSet, key string) *pflag.Flag {
	if flags == nil {
		return nil
	}
	return flags.Lookup(flagName(key))
}
