package certs

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/medforge/medforge/pkg/testkit/gobuild"
	"github.com/medforge/medforge/pkg/testkit/nettest"
	"github.com/medforge/medforge/pkg/testkit/tlstest"
	"github.com/medforge/medforge/pkg/testkit/watch"
)

// The authority for tests, which Let's Encrypt makes for that, and its server
// for challenges.
const (
	pebbleVersion = "v2.10.1"
	pebbleModule  = "github.com/letsencrypt/pebble/v2/cmd/"
)

// nameserver is the server of zone example.test: it takes updates that are
// signed with its key.
type nameserver struct {
	addr string

	mu      sync.Mutex
	txt     map[string][]string
	updates int
	refused int
}

const (
	tsigKey    = "medforge-acme."
	tsigSecret = "c2VjcmV0IG9mIHRoZSB0ZXN0J3MgbmFtZSBzZXJ2ZXI=" // of the test alone
)

func startNameserver(t *testing.T) *nameserver {
	t.Helper()
	n := &nameserver{txt: map[string][]string{}}
	udp, err := net.ListenPacket("udp", free(t))
	if err != nil {
		t.Fatal(err)
	}
	n.addr = udp.LocalAddr().String()
	tcp, err := net.Listen("tcp", n.addr)
	if err != nil {
		t.Fatal(err)
	}
	accept := func(dns.Header) dns.MsgAcceptAction { return dns.MsgAccept }
	for _, s := range []*dns.Server{{PacketConn: udp}, {Listener: tcp}} {
		s.Handler, s.MsgAcceptFunc, s.TsigSecret = n, accept, map[string]string{tsigKey: tsigSecret}
		go s.ActivateAndServe()
		t.Cleanup(func() { s.Shutdown() })
	}
	return n
}

// ServeDNS is dns.Handler.
func (n *nameserver) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	n.mu.Lock()
	defer n.mu.Unlock()
	m := new(dns.Msg).SetReply(q)
	switch {
	case q.Opcode == dns.OpcodeUpdate:
		n.update(w, q, m)
	case len(q.Question) == 1:
		n.query(q.Question[0], m)
	}
	_ = w.WriteMsg(m)
}

func (n *nameserver) update(w dns.ResponseWriter, q, m *dns.Msg) {
	sig := q.IsTsig()
	if sig == nil || w.TsigStatus() != nil || q.Question[0].Name != "example.test." {
		n.refused++
		m.Rcode = dns.RcodeNotAuth
		return
	}
	n.updates++
	for _, rr := range q.Ns {
		if txt, ok := rr.(*dns.TXT); ok { // class NONE: delete this one (RFC 2136, 2.5.4)
			n.change(txt.Hdr.Name, txt.Txt[0], txt.Hdr.Class == dns.ClassINET)
		}
	}
	m.SetTsig(sig.Hdr.Name, sig.Algorithm, 300, time.Now().Unix())
}

// set adds a record or takes it away.
func (n *nameserver) set(name, value string, add bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.change(name, value, add)
}

func (n *nameserver) change(name, value string, add bool) {
	if add {
		n.txt[name] = append(n.txt[name], value)
		return
	}
	n.txt[name] = slices.DeleteFunc(n.txt[name], func(v string) bool { return v == value })
}

func (n *nameserver) query(q dns.Question, m *dns.Msg) {
	head := dns.RR_Header{Name: q.Name, Rrtype: q.Qtype, Class: dns.ClassINET, Ttl: 1}
	m.Authoritative = true
	switch {
	case q.Qtype == dns.TypeSOA && q.Name == "example.test.":
		m.Answer = append(m.Answer, &dns.SOA{Hdr: head, Ns: "ns.example.test.", Mbox: "root.example.test.", Serial: 1, Minttl: 1})
	case q.Qtype == dns.TypeTXT:
		for _, v := range n.txt[strings.ToLower(q.Name)] {
			m.Answer = append(m.Answer, &dns.TXT{Hdr: head, Txt: []string{v}})
		}
	}
}

// left is how many records stand in the zone.
func (n *nameserver) left() (all int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, v := range n.txt {
		all += len(v)
	}
	return all
}

// start runs a program until the test ends.
func start(t *testing.T, env []string, program string, args ...string) {
	t.Helper()
	path, err := gobuild.Install(pebbleModule+program, pebbleVersion)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), env...)
	var said watch.Output
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s said: %s", program, said.String())
		}
	})
}

// free is an address that nobody listens on.
func free(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("127.0.0.1:%d", nettest.FreePort(t))
}

// authority is a running pebble.
type authority struct {
	directory string
	caFile    string         // what its own certificate is checked with
	roots     *x509.CertPool // what the certificates that it makes are checked with
}

// startPebble asks dnsServer for challenges, and makes certificates that are
// valid for so long.
func startPebble(t *testing.T, dnsServer string, valid time.Duration) authority {
	t.Helper()
	dir := t.TempDir()
	cert, key, pool := tlstest.Pair(t, "localhost")
	certFile, keyFile, conf := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "pebble.json")
	write(t, certFile, cert)
	write(t, keyFile, key)
	listen, manage := free(t), free(t)
	b, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": listen, "managementListenAddress": manage, "certificate": certFile, "privateKey": keyFile,
		"httpPort": 1, "tlsPort": 1, "keyAlgorithm": "ecdsa",
		"retryAfter": map[string]any{"authz": 1, "order": 1},
		"profiles":   map[string]any{"default": map[string]any{"description": "the only one", "validityPeriod": int(valid.Seconds())}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	write(t, conf, b)
	start(t, []string{"PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=20"}, "pebble", "-strict", "-config", conf, "-dnsserver", dnsServer)
	port := func(address string) string { return fmt.Sprint(netip.MustParseAddrPort(address).Port()) }
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}}
	a := authority{directory: "https://localhost:" + port(listen) + "/dir", caFile: certFile, roots: x509.NewCertPool()}
	watch.Until(t, "pebble answers", func() bool {
		res, err := client.Get("https://localhost:" + port(manage) + "/roots/0")
		if err != nil {
			return false
		}
		defer res.Body.Close()
		pem, err := io.ReadAll(res.Body)
		return err == nil && a.roots.AppendCertsFromPEM(pem)
	})
	return a
}

// challenges is a running pebble-challtestsrv.
type challenges struct{ dns, manage string }

func startChallenges(t *testing.T) challenges {
	t.Helper()
	c := challenges{dns: free(t), manage: free(t)}
	start(t, nil, "pebble-challtestsrv", "-dnsserver", c.dns, "-management", c.manage, "-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", "")
	watch.Until(t, "challtestsrv answers", func() bool { return c.call("clear-txt", map[string]string{"host": "x."}) == nil })
	return c
}

func (c challenges) call(what string, body any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	res, err := http.Post("http://"+c.manage+"/"+what, "application/json", bytes.NewReader(b))
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != 200 {
		return fmt.Errorf("%s: %s", what, res.Status)
	}
	return nil
}
