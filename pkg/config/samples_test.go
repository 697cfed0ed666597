package config

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/medforge/medforge/pkg/fault"
)

var update = flag.Bool("update", false, "write the sample and the golden files anew")

const contrib = "../../contrib"

// golden compares with a file's content, or writes it.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (go test -update writes it anew); got:\n%s", path, got)
	}
}

// writeTOML writes a default as it stands in the file.
func writeTOML(v any) string {
	if list, ok := v.([]string); ok {
		return "[" + quoteAll(list) + "]"
	}
	if s, ok := v.(string); ok {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprint(v)
}

func wrap(text string) (lines []string) {
	const width = 88
	line := "#"
	for word := range strings.FieldsSeq(text) {
		if len(line)+1+len(word) > width {
			lines, line = append(lines, line), "#"
		}
		line += " " + word
	}
	return append(lines, line)
}

// sample is contrib/medforged.toml, made from the table of keys.
func sample() []byte {
	var b strings.Builder
	b.WriteString("# medforged's configuration. Every setting stands here with its default, commented out.\n" +
		"# \"medforged check\" says every mistake with its line. A setting can also come from the\n" +
		"# environment (MEDFORGED_SESSION_PER_USER) or a flag (--session-per-user), which are\n" +
		"# stronger. Sizes are \"100G\" (K, M, G, T are powers of 1024), times \"90s\" or \"1h30m\".\n")
	table := ""
	for _, k := range keys() {
		name := k.name
		if t, short, ok := strings.Cut(k.name, "."); ok {
			if name = short; t != table {
				table = t
				fmt.Fprintf(&b, "\n[%s]\n", t)
			}
		}
		fmt.Fprintf(&b, "\n%s\n#%s = %s\n", strings.Join(wrap(k.doc), "\n"), name, writeTOML(k.def))
	}
	return []byte(b.String())
}

func TestSampleIsTheTable(t *testing.T) {
	golden(t, filepath.Join(contrib, "medforged.toml"), sample())
}

// The sample with every line uncommented loads, holds every key, and gives
// exactly the defaults.
func TestSampleGivesTheDefaults(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(contrib, "medforged.toml"))
	if err != nil {
		t.Fatal(err)
	}
	data = regexp.MustCompile(`(?m)^#([a-z0-9_]+ = )`).ReplaceAll(data, []byte("$1"))
	file := filepath.Join(t.TempDir(), "medforged.toml")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	doc, m := readFile(file, false)
	if m != nil {
		t.Fatal(m)
	}
	if len(doc.order) != len(keys()) {
		t.Errorf("the sample sets %d keys, there are %d", len(doc.order), len(keys()))
	}
	got, err := Load(Options{Path: file, Environ: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	want, err := Load(Options{Environ: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	got.Path = ""
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the sample gives %+v, the defaults are %+v", got, want)
	}
}

// Every leaf of Config has a key and every key a leaf.
func TestKeysAreTheFields(t *testing.T) {
	fields := map[string]bool{}
	collect(reflect.TypeFor[Config](), "", fields)
	for _, k := range keys() {
		if !fields[k.name] {
			t.Errorf("key %s has no field", k.name)
		}
		delete(fields, k.name)
	}
	for name := range fields {
		t.Errorf("field %s has no key", name)
	}
}

func collect(typ reflect.Type, prefix string, into map[string]bool) {
	for i := range typ.NumField() {
		f := typ.Field(i)
		tag := f.Tag.Get("mapstructure")
		switch {
		case tag == "-" || !f.IsExported():
		case f.Type.Kind() == reflect.Struct && f.Type.PkgPath() == typ.PkgPath():
			collect(f.Type, prefix+tag+".", into)
		default:
			into[prefix+tag] = true
		}
	}
}

func TestGoodSamples(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(contrib, "samples/good/*.toml"))
	if err != nil || len(files) < 4 {
		t.Fatalf("samples: %v, %v", files, err)
	}
	for _, file := range files {
		if _, err := Load(Options{Path: file, Environ: []string{}}); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestBadSamples(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(contrib, "samples/bad/*.toml"))
	if err != nil || len(files) < 8 {
		t.Fatalf("samples: %v, %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			var out bytes.Buffer
			err := CheckWith(Options{Path: file, Environ: []string{}}, &out)
			if !fault.Is(err, fault.Invalid) || len(fault.As(err).Fields) == 0 {
				t.Fatalf("error %v", err)
			}
			text := bytes.ReplaceAll(out.Bytes(), []byte(filepath.Dir(file)+"/"), nil)
			golden(t, strings.TrimSuffix(file, ".toml")+".txt", text)
			for _, m := range fault.As(err).Fields {
				if !strings.Contains(err.Error(), m.Loc+": "+m.Msg) {
					t.Errorf("the error itself does not say %q", m.Msg)
				}
			}
			if strings.Contains(out.String()+err.Error(), "hunter2") {
				t.Errorf("shows a secret: %s", out.String())
			}
		})
	}
}

// TestCheckWithoutFile: what is not there is not praised.
func TestCheckWithoutFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "medforged.toml")
	var out bytes.Buffer
	if err := CheckWith(Options{Path: path, Optional: true, Environ: []string{}}, &out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "The defaults, since there is no "+path+": no mistakes.") {
		t.Errorf("%s", out.String())
	}
}
