package vm_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// ide is a browser's way to a session: by its host on the public listener, with
// the cookie that a one-time link gave. The IDE is the tests' stand-in, which
// reads and writes files inside the session when asked.
type ide struct {
	t    *testing.T
	base string
	http *http.Client
}

// open uses a one-time link.
func (p person) open(t *testing.T, s sess) *ide {
	t.Helper()
	link := decode[struct {
		URL string `json:"url"`
	}](t, p.medforge(t, "session", "open", s.Slug, "-o", "json")).URL
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	i := &ide{t: t, base: "http://" + u.Host, http: &http.Client{
		Jar: jar, Timeout: 3 * time.Minute,
		Transport: &http.Transport{
			DisableKeepAlives: true,
			// Every name under localhost is this host (RFC 6761); no name server needed.
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, "127.0.0.1:"+u.Port())
			},
		},
	}}
	if code, body := i.do("GET", link[len(i.base):], ""); code != 200 {
		t.Fatalf("the link led to %d: %s", code, body)
	}
	return i
}

func (i *ide) try(method, path, body string) (int, string, error) {
	req, err := http.NewRequest(method, i.base+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	res, err := i.http.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return res.StatusCode, string(text), err
}

func (i *ide) do(method, path, body string) (int, string) {
	i.t.Helper()
	code, text, err := i.try(method, path, body)
	if err != nil {
		i.t.Fatal(err)
	}
	return code, text
}

func (i *ide) answers() bool {
	code, _, err := i.try("GET", "/healthz", "")
	return err == nil && code == 200
}

// talks opens a WebSocket through the proxy and says one thing over it. The
// caller's browser page stays at the same origin.
func (i *ide) talks() error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	c, _, err := websocket.Dial(ctx, i.base+"/probe/echo", &websocket.DialOptions{
		HTTPClient: &http.Client{Jar: i.http.Jar, Transport: i.http.Transport},
		HTTPHeader: http.Header{"Origin": {i.base}},
	})
	if err != nil {
		return err
	}
	defer c.CloseNow()
	if err := c.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
		return err
	}
	_, said, err := c.Read(ctx)
	if err == nil && string(said) != "hello" {
		err = fmt.Errorf("the echo is %q", said)
	}
	return err
}

func (i *ide) write(path, body string) {
	i.t.Helper()
	if code, text := i.do("POST", "/probe/file?path="+url.QueryEscape(path), body); code != 200 {
		i.t.Fatalf("writing %s in the session: %d %s", path, code, text)
	}
}

func (i *ide) read(path string) string {
	i.t.Helper()
	code, text := i.do("GET", "/probe/file?path="+url.QueryEscape(path), "")
	if code != 200 {
		i.t.Fatalf("reading %s in the session: %d %s", path, code, text)
	}
	return text
}

// socketGet asks the daemon on its unix socket, publicGet on its public
// listener; each call has a connection of its own.
func socketGet(ctx context.Context, path string) (int, string, error) {
	return get(ctx, "unix", socketPath, "http://medforge"+path)
}

func publicGet(ctx context.Context, path string) (int, string, error) {
	return get(ctx, "tcp", publicAddress, "http://medforge.localhost:8080"+path)
}

func get(ctx context.Context, network, address, url string) (int, string, error) {
	c := &http.Client{Timeout: 3 * time.Minute, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}}
	req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		return 0, "", err
	}
	res, err := c.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, "", fmt.Errorf("reading the answer: %w", err)
	}
	return res.StatusCode, string(body), nil
}
