package proxy_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/daemon/certs"
	"github.com/medforge/medforge/pkg/proxy"
	"github.com/medforge/medforge/pkg/testkit/tlstest"
)

// TestTLS: pages by HTTP/2, WebSockets on a connection of their own, with what
// the public listener serves; signing out ends the WebSocket there too.
func TestTLS(t *testing.T) {
	t.Parallel()
	r := open(t, func(o *proxy.Options) { o.Hosts.Secure = true })
	cert, key, pool := tlstest.Pair(t, "medforge."+domain, "*.medforge."+domain)
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	get := func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &pair, nil }
	srv := &http.Server{Handler: r.proxy}
	go srv.Serve(tls.NewListener(l, certs.Config(get, tls.VersionTLS12)))
	t.Cleanup(func() { srv.Close() })

	transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: pool},
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", l.Addr().String())
		}}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport}
	secret := r.secret(r.ada.Actor, slugA)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	for _, body := range []string{"", "a body"} {
		q, err := http.NewRequestWithContext(ctx, "POST", "https://"+r.host(slugA)+"/page?x=1", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Origin", "https://"+r.host(slugA))
		q.AddCookie(&http.Cookie{Name: auth.IDECookie(true), Value: secret})
		res, err := client.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.ProtoMajor != 2 || string(got) != "ide POST /page?x=1 "+body {
			t.Errorf("%s %d %q", res.Proto, res.StatusCode, got)
		}
	}

	ws := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, NextProtos: []string{"http/1.1"}}, DialContext: transport.DialContext}}
	h := http.Header{"Origin": {"https://" + r.host(slugA)}, "Cookie": {auth.IDECookie(true) + "=" + secret}}
	c, _, err := websocket.Dial(ctx, "wss://"+r.host(slugA)+"/ws", &websocket.DialOptions{HTTPClient: ws, HTTPHeader: h})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	c.SetReadLimit(-1)
	for _, n := range []int{1, 2 << 10, 100 << 10, 3 << 20} {
		say(t, c, bytes.Repeat([]byte{'x'}, n))
	}
	if err := r.accounts.SignOut(ctx, r.ada.Actor); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Read(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("the WebSocket outlived the sign-in: %v", err)
	}
	if all := r.ide.all(); strings.Contains(all, secret) || strings.Contains(all, "__Host-") {
		t.Errorf("the IDE got a cookie of ours: %s", all)
	}
}
