package config

import (
	"fmt"
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
	from := source{path: o.Path, optional: o.Optional, environ: o.Environ, prefix: envPrefix, strict: true, flags: o.Flags}
	c, places, mistakes := load(keys(), from, contradictions)
	if err := asError(mistakes); err != nil {
		return Config{}, err
	}
	c.Path = o.Path
	c.secretInFile = len(c.Signup.InviteCodes) > 0 && places["signup.invite_codes"].from == fromFile ||
		hasPassword(c.Database.DSN) && places["database.dsn"].from == fromFile ||
		c.ACME.Token != "" && places["acme.token"].from == fromFile ||
		c.ACME.RFC2136Key != "" && places["acme.rfc2136_key"].from == fromFile
	return c, nil
}

type source struct {
	path     string
	optional bool
	environ  []string
	prefix   string
	strict   bool // variables with the prefix that no setting has are mistakes
	flags    *pflag.FlagSet
}

// load fills a struct with mapstructure tags and returns where each value came
// from and all that is wrong.
func load[C any](table []key, from source, rules func(C) []rule) (C, map[string]place, []mistake) {
	var c C
	doc := document{}
	if from.path != "" {
		var m *mistake
		if doc, m = readFile(from.path, from.optional); m != nil {
			return c, nil, []mistake{*m}
		}
	}
	v, places, unknown := layers(table, doc, from)
	mistakes := append(doc.unknown(table), unknown...)
	tree, wrong := map[string]any{}, map[string]bool{}
	for _, k := range table {
		raw := v.Get(k.name)
		value, expected := k.takes.parse(raw)
		if expected != "" {
			wrong[k.name] = true
			mistakes = append(mistakes, mistake{places[k.name], "value", "expected " + expected + got(k.takes, raw)})
			continue
		}
		plant(tree, k.name, value)
	}
	if err := decode(tree, &c); err != nil {
		return c, places, append(mistakes, mistake{place{loc: from.path}, "value", err.Error()})
	}
	return c, places, append(mistakes, judge(rules(c), places, wrong)...)
}

// layers lays the sources over each other and notes where each value is from.
func layers(table []key, doc document, from source) (*viper.Viper, map[string]place, []mistake) {
	v := viper.New()
	places := map[string]place{}
	for _, k := range table {
		v.SetDefault(k.name, k.def)
		places[k.name] = place{loc: k.name}
	}
	for _, name := range doc.order {
		if _, known := places[name]; known {
			places[name] = doc.at(name)
			merge(v, name, doc.values[name])
		}
	}
	env, unknown := environment(table, from)
	for name, value := range env {
		places[name] = place{"environment " + envName(from.prefix, name) + ": " + name, 0, fromEnvironment}
		merge(v, name, plain(value))
	}
	for _, k := range table {
		if f := lookupFlag(from.flags, k.name); f != nil && f.Changed {
			places[k.name] = place{"flag --" + f.Name + ": " + k.name, 0, fromFlag}
			v.Set(k.name, plain(f.Value.String()))
		}
	}
	return v, places, unknown
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

// got says what stood there instead, as far as it may be shown: what has an @
// may be a user with a password, in the wrong place.
func got(k kind, raw any) string {
	if isSecret(k) || strings.Contains(fmt.Sprint(raw), "@") {
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
