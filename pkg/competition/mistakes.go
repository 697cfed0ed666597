package competition

import (
	"fmt"
	"strings"

	"github.com/medforge/medforge/pkg/fault"
)

// CodeBundleInvalid is the code of the error that lists what is wrong with a
// bundle.
const CodeBundleInvalid = "competitions/bundle-invalid"

// maxMistakes bounds what is said about one bundle.
const maxMistakes = 100

// mistakes collects what is wrong with a bundle, each with its file and line.
type mistakes struct{ fields []fault.Field }

func (m *mistakes) add(loc, word, format string, args ...any) {
	if len(m.fields) < maxMistakes {
		m.fields = append(m.fields, fault.Field{Loc: loc, Type: word, Msg: fmt.Sprintf(format, args...)})
	}
}

// take adds what an error of pkg/scoring says, each place turned by at. It
// returns an error that is no mistake in the bundle.
func (m *mistakes) take(err error, at func(loc string) string) error {
	f := fault.As(err)
	if err == nil || f == nil || f.Kind != fault.Invalid {
		return err
	}
	for _, field := range f.Fields {
		m.add(at(field.Loc), field.Type, "%s", field.Msg)
	}
	if len(f.Fields) == 0 {
		m.add(at(""), f.Code[strings.LastIndexByte(f.Code, '/')+1:], "%s", f.Message)
	}
	return nil
}

// err is nil when nothing is wrong.
func (m *mistakes) err() error {
	if len(m.fields) == 0 {
		return nil
	}
	first := m.fields[0]
	message := fmt.Sprintf("The bundle has a mistake: %s: %s.", first.Loc, strings.TrimSuffix(first.Msg, "."))
	if n := len(m.fields); n > 1 {
		message = fmt.Sprintf("The bundle has %d mistakes; the first: %s: %s.", n, first.Loc, strings.TrimSuffix(first.Msg, "."))
	}
	return fault.New(fault.Invalid, CodeBundleInvalid, "%s", message).With(m.fields...)
}

// prefixed puts a file's name before a place in it.
func prefixed(file string) func(string) string {
	return func(loc string) string {
		if loc == "" || loc == "file" {
			return file
		}
		return file + ", " + loc
	}
}
