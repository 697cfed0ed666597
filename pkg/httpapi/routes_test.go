package httpapi

import (
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
)

func TestARouteThatDoesNotSayWhoMayCallIsRefused(t *testing.T) {
	ok := func(*Server, huma.API, huma.Operation) {}
	for name, c := range map[string]struct {
		route Route
		want  string
	}{
		"no access":        {Route{Method: "GET", Path: "/x", register: ok}, "who may call"},
		"unknown access":   {Route{Method: "GET", Path: "/x", Access: 99, register: ok}, "who may call"},
		"no method":        {Route{Path: "/x", Access: Everyone, register: ok}, "no method"},
		"no path":          {Route{Method: "GET", Access: Everyone, register: ok}, "no path"},
		"no handler":       {Route{Method: "GET", Path: "/x", Access: Everyone}, "no handler"},
		"admin in session": {Route{Method: "GET", Path: "/x", Access: Admin, InSession: true, register: ok}, "no admin"},
		"complete":         {Route{Method: "GET", Path: "/x", Access: Admin, register: ok}, ""},
	} {
		err := checkRoutes([]Route{c.route})
		if (err == nil) != (c.want == "") || (err != nil && !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCursorsBelongToOneList(t *testing.T) {
	key, err := decodeCursor("sessions", encodeCursor("sessions", "k"))
	if err != nil || key != "k" {
		t.Errorf("%q, %v", key, err)
	}
	for _, bad := range []string{"!", "AAAA", encodeCursor("gpus", "k"), encodeCursor("sessions", ""), encodeCursor("", "k")} {
		if _, err := decodeCursor("sessions", bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func FuzzCursor(f *testing.F) {
	f.Add("")
	f.Add(encodeCursor("sessions", "k"))
	f.Fuzz(func(t *testing.T, s string) {
		key, err := decodeCursor("sessions", s)
		if err == nil && s != "" && key == "" {
			t.Errorf("%q gave an empty key", s)
		}
	})
}
