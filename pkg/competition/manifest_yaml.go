package competition

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// Schema is the JSON Schema of competition.yaml.
//
//go:embed bundle.schema.json
var Schema []byte

// manifestSchema is Schema ready for use. It is made once and never written.
var manifestSchema = sync.OnceValues(func() (*jsonschema.Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("competition.schema.json", doc); err != nil {
		return nil, err
	}
	return c.Compile("competition.schema.json")
})

const manifestFile = "competition.yaml"

// lines knows where in competition.yaml each value stands, by its path as
// scoring.Spec writes it: "targets[0].min".
type lines map[string]int

// at is the place of a value for people; of a value that is not there, that of
// what holds it.
func (l lines) at(path string) string {
	for p := path; p != ""; p = p[:max(0, strings.LastIndexAny(p, ".["))] {
		if n, ok := l[p]; ok {
			return fmt.Sprintf("%s:%d, %s", manifestFile, n, path)
		}
	}
	if path == "" {
		return manifestFile + ":1"
	}
	return manifestFile + ", " + path
}

// parseManifest reads competition.yaml and notes every mistake that can be
// found without the other files. ok says that the Manifest can be worked with.
func parseManifest(raw []byte, wrong *mistakes) (m Manifest, where lines, ok bool) {
	var doc yaml.Node
	where = lines{}
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		// The library's text names the line.
		wrong.add(manifestFile, "not_yaml", "it is not YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
		return m, where, false
	}
	if len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		wrong.add(manifestFile, "not_a_mapping", "expected keys and values, such as slug: my-competition")
		return m, where, false
	}
	before := len(wrong.fields)
	value := plainValue(doc.Content[0], "", where, wrong)
	schema, err := manifestSchema()
	if err != nil {
		wrong.add(manifestFile, "schema", "the schema of this build is broken: %v", err)
		return m, where, false
	}
	if err := schema.Validate(value); err != nil {
		var v *jsonschema.ValidationError
		if errors.As(err, &v) {
			schemaMistakes(v, where, wrong)
		}
	}
	text, err := json.Marshal(value)
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	if err != nil {
		if len(wrong.fields) == before {
			wrong.add(manifestFile, "unreadable", "%v", err)
		}
		return m, where, false
	}
	m.defaults()
	return m, where, len(wrong.fields) == before
}

// plainValue turns a node into what JSON would hold, and notes lines. Anchors
// are refused: competition.yaml has no use for them, and a few lines of them
// can stand for gigabytes.
func plainValue(n *yaml.Node, path string, where lines, wrong *mistakes) any {
	if _, ok := where[path]; !ok && path != "" {
		where[path] = n.Line
	}
	switch n.Kind {
	case yaml.MappingNode:
		out := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			at := strings.TrimPrefix(path+"."+key.Value, ".")
			if _, twice := out[key.Value]; twice || key.Kind != yaml.ScalarNode {
				wrong.add(fmt.Sprintf("%s:%d, %s", manifestFile, key.Line, at), "duplicate", "the key stands there twice")
				continue
			}
			where[at] = key.Line
			out[key.Value] = plainValue(n.Content[i+1], at, where, wrong)
		}
		return out
	case yaml.SequenceNode:
		out := []any{}
		for i, item := range n.Content {
			out = append(out, plainValue(item, path+"["+strconv.Itoa(i)+"]", where, wrong))
		}
		return out
	case yaml.ScalarNode:
		return plainScalar(n, path, where, wrong)
	}
	wrong.add(where.at(path), "alias", "anchors and aliases are not taken; write the value out")
	return nil
}

func plainScalar(n *yaml.Node, path string, where lines, wrong *mistakes) any {
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		var v bool
		if n.Decode(&v) == nil {
			return v
		}
	case "!!int", "!!float":
		var v float64
		if n.Decode(&v) == nil && !math.IsNaN(v) && !math.IsInf(v, 0) {
			return v
		}
		wrong.add(where.at(path), "not_finite", "expected a finite number, found %s", n.Value)
		return 0.0
	}
	return n.Value
}

// schemaMistakes notes each innermost complaint of the schema.
func schemaMistakes(v *jsonschema.ValidationError, where lines, wrong *mistakes) {
	if len(v.Causes) > 0 {
		causes := slices.Clone(v.Causes)
		slices.SortStableFunc(causes, func(a, b *jsonschema.ValidationError) int {
			return where[pathOf(a.InstanceLocation)] - where[pathOf(b.InstanceLocation)]
		})
		for _, c := range causes {
			schemaMistakes(c, where, wrong)
		}
		return
	}
	word := "schema"
	if p := v.ErrorKind.KeywordPath(); len(p) > 0 {
		word = p[len(p)-1]
	}
	wrong.add(where.at(pathOf(v.InstanceLocation)), word, "%s", v.ErrorKind.LocalizedString(message.NewPrinter(language.English)))
}

// pathOf turns a JSON pointer's parts into a path as scoring.Spec writes it.
func pathOf(parts []string) string {
	var b strings.Builder
	for _, p := range parts {
		if _, err := strconv.Atoi(p); err == nil {
			b.WriteString("[" + p + "]")
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(p)
	}
	return b.String()
}
