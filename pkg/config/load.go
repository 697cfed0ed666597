package config

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/pflag"
	"github.com/spf13/viper"
)

// DefaultPath is where the daemon's configuration stands on a host.
const DefaultPath = "/etc/medforge/medforged.toml"

// envPrefix begins the daemon's variables: MEDFORGED_SESSION_PER_USER is
// session.per_user.
const envPrefix = "MEDFORGED_"

// Options say where settings come from.
type Options struct {
	// Path is the TOML file; empty reads none.
	Path string
	// Optional makes a missing file no mistake.
	Optional bool
	// Environ is the environment as os.Environ gives it; nil takes that.
	Environ []string
	// Flags may be nil. A flag named after a key, with hyphens for dots and
	// underscores (--session-per-user), overrides it when it was given.
	Flags *pflag.FlagSet
}

// Load reads, checks and returns the configuration. Its error is Invalid,
// lists every mistake that was found with its place, and holds no secret.
func Load(o Options) (Config, error) {
	var c Config
	mistakes := load(keys(), source{path: o.Path, optional: o.Optional, environ: o.Environ, prefix: envPrefix, flags: o.Flags}, &c, contradictions)
	if err := asError(mistakes); err != nil {
		return Config{}, err
	}
	c.Path = o.Path
	return c, nil
}

type source struct {
	path     string
	optional bool
	environ  []string
	prefix   string
	flags    *pflag.FlagSet
}

// load fills into, a pointer to a struct with mapstructure tags. cross finds
// what only several keys together can have wrong; it sees values only when
// each is right by itself, and places gives a key's location.
func load[C any](table []key, from source, into *C, cross func(c C, places func(string) string) []mistake) []mistake {
	doc := document{}
	if from.path != "" {
		var m *mistake
		if doc, m = readFile(from.path, from.optional); m != nil {
			return []mistake{*m}
		}
	}
	env, mistakes := environment(table, from)
	mistakes = append(doc.unknown(table), mistakes...)

	v := viper.New()
	places := map[string]string{}
	for _, k := range table {
		v.SetDefault(k.name, k.def)
		places[k.name] = k.name
	}
	for _, name := range doc.order {
		if slices.ContainsFunc(table, func(k key) bool { return k.name == name }) {
			places[name] = doc.loc(name)
			merge(v, name, doc.values[name])
		}
	}
	for name, value := range env {
		places[name] = "environment " + envName(from.prefix, name) + ": " + name
		merge(v, name, plain(value))
	}
	for _, k := range table {
		if f := lookupFlag(from.flags, k.name); f != nil && f.Changed {
			places[k.name] = "flag --" + f.Name + ": " + k.name
			v.Set(k.name, plain(f.Value.String()))
		}
	}

	tree := map[string]any{}
	for _, k := range table {
		raw := v.Get(k.name)
		value, expected := k.takes.parse(raw)
		if expected != "" {
			mistakes = append(mistakes, mistake{places[k.name], "value", "expected " + strings.TrimSuffix(expected, ",") + got(k.takes, raw)})
			continue
		}
		plant(tree, k.name, value)
	}
	var filled C
	if err := decode(tree, &filled); err != nil {
		return append(mistakes, mistake{loc: from.path, kind: "value", msg: err.Error()})
	}
	if len(mistakes) == 0 {
		mistakes = cross(filled, func(name string) string { return places[name] })
	}
	*into = filled
	return mistakes
}

func decode(tree map[string]any, into any) error {
	d, err := mapstructure.NewDecoder(&mapstructure.DecoderConfig{
		Result:      into,
		ErrorUnused: true,
		DecodeHook:  mapstructure.TextUnmarshallerHookFunc(),
	})
	if err != nil {
		return err
	}
	return d.Decode(tree)
}

// merge lays a value over what is there. Only a map can be merged wrongly, and
// these hold one value at a known key.
func merge(v *viper.Viper, name string, value any) {
	tree := map[string]any{}
	plant(tree, name, value)
	_ = v.MergeConfigMap(tree)
}

func plant(tree map[string]any, name string, value any) {
	parts := strings.Split(name, ".")
	for _, part := range parts[:len(parts)-1] {
		next, ok := tree[part].(map[string]any)
		if !ok {
			next = map[string]any{}
			tree[part] = next
		}
		tree = next
	}
	tree[parts[len(parts)-1]] = value
}

// got says what stood there instead, as far as it may be shown.
func got(k kind, raw any) string {
	if isSecret(k) {
		return "; what is there is not shown, since it may be a secret"
	}
	switch v := raw.(type) {
	case nil:
		return ""
	case string:
		return fmt.Sprintf(", not the text %q", v)
	case plain:
		return fmt.Sprintf(", not %q", string(v))
	case map[string]any:
		return ", not a table"
	case []any:
		return fmt.Sprintf(", not the list %v", v)
	}
	return fmt.Sprintf(", not %v", raw)
}

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
		case !ok && strings.HasPrefix(name, from.prefix) && name != from.prefix+"CONFIG":
			mistakes = append(mistakes, mistake{"environment " + name, "unknown", "no setting has this name" + didYouMean(name, known)})
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
