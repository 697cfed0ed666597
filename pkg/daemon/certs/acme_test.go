package certs

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libdns/libdns"

	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/testkit/watch"
)

var hosts = []string{"medforge.example.test", "api.medforge.example.test", "s-abcd2345.medforge.example.test"}

// serveACME serves TLS with what it gets, and ends with the test.
func serveACME(t *testing.T, o ACMEOptions) (a *ACME, address string, log *watch.Output) {
	t.Helper()
	log = &watch.Output{}
	o.Names, o.Logger = names, slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	a, err := OpenACME(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { a.Run(ctx); close(done) }()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.NotFoundHandler(), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)}
	go srv.Serve(tls.NewListener(l, Config(a.Certificate, tls.VersionTLS12)))
	t.Cleanup(func() {
		cancel()
		<-done
		srv.Close()
		if t.Failed() {
			t.Logf("the log: %s", log.String())
		}
	})
	return a, l.Addr().String(), log
}

// email is everybody's here: certmagic remembers one for the whole process, and
// an issuer without takes it, in the middle of its work.
const email = "root@example.test"

// TestACMEByRFC2136: a wildcard and its host, by signed updates, from a real
// authority; they are kept for the next start and renewed in time.
func TestACMEByRFC2136(t *testing.T) {
	t.Parallel()
	ns := startNameserver(t)
	ca := startPebble(t, ns.addr, time.Hour)
	dir := filepath.Join(t.TempDir(), "acme")
	o := ACMEOptions{Directory: ca.directory, CAFile: ca.caFile, Dir: dir, Email: email, Resolvers: []string{ns.addr},
		DNS: RFC2136{Server: ns.addr, KeyName: "medforge-acme", Algorithm: "hmac-sha256", Secret: tsigSecret}}
	a, address, log := serveACME(t, o)
	if !a.NotAfter().IsZero() && !greeted(address, hosts[0], ca.roots) {
		t.Error("a certificate is promised and not served")
	}
	for _, host := range hosts {
		watch.Until(t, host+" is greeted", func() bool { return greeted(address, host, ca.roots) })
	}
	watch.Until(t, "the records are taken away", func() bool { return ns.left() == 0 })
	if left := time.Until(a.NotAfter()); left < 30*time.Minute || left > time.Hour {
		t.Errorf("the first certificate expires in %s", left)
	}
	if strings.Contains(log.String(), tsigSecret) {
		t.Error("the key's secret is in the log")
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v %v", info.Mode(), err)
	}

	// The next daemon has them at once and asks nobody.
	before := ns.updates
	_, address, _ = serveACME(t, o)
	for _, host := range hosts {
		watch.Until(t, host+" is greeted again", func() bool { return greeted(address, host, ca.roots) })
	}
	if ns.updates != before {
		t.Error("certificates were made anew")
	}
}

func TestACMERenews(t *testing.T) {
	t.Parallel()
	ns := startNameserver(t)
	ca := startPebble(t, ns.addr, 20*time.Second)
	a, address, _ := serveACME(t, ACMEOptions{Directory: ca.directory, Email: email, CAFile: ca.caFile, Dir: t.TempDir(), Resolvers: []string{ns.addr},
		DNS: RFC2136{Server: ns.addr, KeyName: "medforge-acme", Algorithm: "hmac-sha256", Secret: tsigSecret}, renewCheck: time.Second})
	watch.Until(t, "certificates are there", func() bool { return !a.NotAfter().IsZero() })
	first := a.NotAfter()
	watch.Until(t, "they are renewed", func() bool { return a.NotAfter().After(first.Add(time.Second)) })
	// Not at once: on a slow machine that one has expired too by now, and is
	// renewed again.
	watch.Until(t, "the renewed wildcard is served", func() bool { return greeted(address, hosts[2], ca.roots) })
}

// TestACMERefused: a wrong key is said, with the server's answer, and nothing is
// served that is not trusted.
func TestACMERefused(t *testing.T) {
	t.Parallel()
	ns := startNameserver(t)
	ca := startPebble(t, ns.addr, time.Hour)
	a, address, log := serveACME(t, ACMEOptions{Directory: ca.directory, Email: email, CAFile: ca.caFile, Dir: t.TempDir(), Resolvers: []string{ns.addr},
		DNS: RFC2136{Server: ns.addr, KeyName: "medforge-acme", Algorithm: "hmac-sha256", Secret: "d3Jvbmcgc2VjcmV0"}})
	watch.Until(t, "the refusal is said", func() bool { return strings.Contains(log.String(), "update of zone example.test.") })
	if greeted(address, hosts[0], ca.roots) || !a.NotAfter().IsZero() {
		t.Error("something is served")
	}
	if ns.left() != 0 || strings.Contains(log.String(), "d3Jvbmcgc2VjcmV0") {
		t.Error("an unsigned record was taken, or the secret is in the log")
	}
}

func TestACMEAuthorityFile(t *testing.T) {
	t.Parallel()
	if _, err := OpenACME(ACMEOptions{Names: names, CAFile: "/nowhere", Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)}); !fault.Is(err, fault.Invalid) {
		t.Errorf("%v", err)
	}
}

// api stands for a provider's: it takes a token, and puts what it is told into
// the challenge server.
type api struct {
	t      *testing.T
	ns     *nameserver // which certmagic asks
	chall  challenges  // which pebble asks
	mu     sync.Mutex
	ids    map[string]libdns.RR
	denied int
}

func (a *api) serve(w http.ResponseWriter, r *http.Request, name, value func(map[string]any) string, answer func(id int) string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if r.Header.Get("Authorization") != "Bearer provider-token" {
		a.denied++
		http.Error(w, `{"message":"unauthorized"}`, http.StatusUnauthorized)
		return
	}
	switch r.Method {
	case http.MethodPost:
		var in map[string]any
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in["type"] != "TXT" {
			http.Error(w, "not a TXT record", http.StatusBadRequest)
			return
		}
		rr := libdns.RR{Name: name(in) + ".", Data: value(in)}
		id := len(a.ids) + 1
		a.ids[r.URL.Path+fmt.Sprintf("/%d", id)] = rr
		a.ns.set(rr.Name, rr.Data, true)
		if err := a.chall.call("set-txt", map[string]string{"host": rr.Name, "value": rr.Data}); err != nil {
			a.t.Error(err)
		}
		fmt.Fprint(w, answer(id))
	case http.MethodDelete:
		rr, ok := a.ids[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		a.ns.set(rr.Name, rr.Data, false)
		w.WriteHeader(http.StatusNoContent)
	default:
		http.NotFound(w, r)
	}
}

func text(in map[string]any, key string) string { s, _ := in[key].(string); return s }

// TestACMEByAPI: the same with providers that have an API of their own.
func TestACMEByAPI(t *testing.T) {
	t.Parallel()
	for provider, build := range map[string]func(*api, *http.ServeMux) func(base string) DNS{
		"cloudflare": func(a *api, mux *http.ServeMux) func(string) DNS {
			mux.HandleFunc("GET /zones", func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Query().Get("name") != "example.test" {
					fmt.Fprint(w, `{"success":true,"result":[]}`)
					return
				}
				fmt.Fprint(w, `{"success":true,"result":[{"id":"zone-1","name":"example.test"}]}`)
			})
			mux.HandleFunc("/zones/zone-1/dns_records", a.cloudflare)
			mux.HandleFunc("/zones/zone-1/dns_records/{id}", a.cloudflare)
			return func(base string) DNS { return NewCloudflare("provider-token", base) }
		},
		"digitalocean": func(a *api, mux *http.ServeMux) func(string) DNS {
			mux.HandleFunc("/domains/example.test/records", a.digitalOcean)
			mux.HandleFunc("/domains/example.test/records/{id}", a.digitalOcean)
			return func(base string) DNS { return NewDigitalOcean("provider-token", base) }
		},
	} {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			a := &api{t: t, ns: startNameserver(t), chall: startChallenges(t), ids: map[string]libdns.RR{}}
			mux := http.NewServeMux()
			open := build(a, mux)
			srv := httptest.NewServer(mux)
			t.Cleanup(srv.Close)
			ca := startPebble(t, a.chall.dns, time.Hour)
			_, address, log := serveACME(t, ACMEOptions{Directory: ca.directory, Email: email, CAFile: ca.caFile, Dir: t.TempDir(),
				Resolvers: []string{a.ns.addr}, DNS: open(srv.URL)})
			for _, host := range hosts {
				watch.Until(t, host+" is greeted", func() bool { return greeted(address, host, ca.roots) })
			}
			watch.Until(t, "the records are taken away", func() bool { return a.ns.left() == 0 })
			if strings.Contains(log.String(), "provider-token") {
				t.Error("the token is in the log")
			}
		})
	}
}

func (a *api) cloudflare(w http.ResponseWriter, r *http.Request) {
	a.serve(w, r, func(in map[string]any) string { return text(in, "name") },
		func(in map[string]any) string { return strings.Trim(text(in, "content"), `"`) },
		func(id int) string { return fmt.Sprintf(`{"success":true,"result":{"id":"%d"}}`, id) })
}

func (a *api) digitalOcean(w http.ResponseWriter, r *http.Request) {
	a.serve(w, r, func(in map[string]any) string { return text(in, "name") + ".example.test" },
		func(in map[string]any) string { return text(in, "data") },
		func(id int) string { return fmt.Sprintf(`{"domain_record":{"id":%d}}`, id) })
}
