package minipack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Probe talks to the stand-in of one session, from the host, through the
// socket in the session's folder. A test trusts its own stand-in: the daemon
// never dials this way.
type Probe struct{ client *http.Client }

// NewProbe returns a Probe for the host folder that is the session's
// /run/medforge.
func NewProbe(socketDir string) *Probe {
	socket := filepath.Join(socketDir, "ide.sock")
	return &Probe{client: &http.Client{
		Timeout: 3 * time.Minute,
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, "unix", socket)
			},
		},
	}}
}

// Do calls the stand-in and returns its answer; an answer other than 200 is an
// error with the answer's text.
func (p *Probe) Do(method, path string, query url.Values, body []byte) ([]byte, error) {
	target := "http://ide" + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := http.NewRequest(method, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s", strings.TrimSpace(string(text)))
	}
	return text, nil
}

// Wait returns when the stand-in answers /healthz.
func (p *Probe) Wait(tb testing.TB) {
	tb.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for {
		_, err := p.Do(http.MethodGet, "/healthz", nil, nil)
		if err == nil {
			return
		}
		select {
		case <-ticker.C:
		case <-deadline.C:
			tb.Fatalf("the IDE stand-in did not answer: %v", err)
		}
	}
}

// Read returns a file as the session sees it.
func (p *Probe) Read(path string) (string, error) {
	b, err := p.Do(http.MethodGet, "/probe/file", url.Values{"path": {path}}, nil)
	return string(b), err
}

// Write writes a file in the session.
func (p *Probe) Write(path, body string) error {
	_, err := p.Do(http.MethodPost, "/probe/file", url.Values{"path": {path}}, []byte(body))
	return err
}

// List returns the names in a folder of the session.
func (p *Probe) List(path string) ([]string, error) {
	b, err := p.Do(http.MethodGet, "/probe/list", url.Values{"path": {path}}, nil)
	return strings.Fields(string(b)), err
}

// Dial opens a connection from inside the session and returns what the other
// side says first.
func (p *Probe) Dial(network, address string, timeout time.Duration) (string, error) {
	b, err := p.Do(http.MethodGet, "/probe/dial", url.Values{
		"network": {network}, "address": {address}, "timeout": {timeout.String()},
	}, nil)
	return string(b), err
}

// Try does what a session must not be able to do, and returns the error's name
// ("EPERM"), or "" when it worked.
func (p *Probe) Try(what string) (string, error) {
	b, err := p.Do(http.MethodPost, "/probe/try", url.Values{"what": {what}}, nil)
	return string(b), err
}

// Env returns the main process's environment.
func (p *Probe) Env() (map[string]string, error) {
	b, err := p.Do(http.MethodGet, "/probe/env", nil, nil)
	if err != nil {
		return nil, err
	}
	env := map[string]string{}
	return env, json.Unmarshal(b, &env)
}

// Say makes the main process print a line.
func (p *Probe) Say(line string) error {
	_, err := p.Do(http.MethodPost, "/probe/say", nil, []byte(line))
	return err
}

// Exit makes the main process end with a code; the answer may be lost.
func (p *Probe) Exit(code uint32) {
	_, _ = p.Do(http.MethodPost, "/probe/exit", url.Values{"code": {fmt.Sprint(code)}}, nil)
}

// IgnoreTerm makes the main process ignore SIGTERM.
func (p *Probe) IgnoreTerm() error {
	_, err := p.Do(http.MethodPost, "/probe/ignore-term", nil, nil)
	return err
}

// Print makes the main process print n bytes in lines of 100.
func (p *Probe) Print(n int) error {
	_, err := p.Do(http.MethodPost, "/probe/print", url.Values{"bytes": {fmt.Sprint(n)}}, nil)
	return err
}

// Eat starts a child that uses n bytes of memory and returns how it ended:
// "exit status 0", or "signal: killed".
func (p *Probe) Eat(n int64) (string, error) {
	b, err := p.Do(http.MethodPost, "/probe/eat", url.Values{"bytes": {fmt.Sprint(n)}}, nil)
	return string(b), err
}

// Fork starts children that wait, until one cannot be started or there are n,
// returns how many there were, and ends them.
func (p *Probe) Fork(n int) (int, error) {
	b, err := p.Do(http.MethodPost, "/probe/fork", url.Values{"n": {fmt.Sprint(n)}}, nil)
	if err != nil {
		return 0, err
	}
	var got int
	_, err = fmt.Sscan(string(b), &got)
	return got, err
}

// Run runs a program of the image inside the session, for two minutes at most,
// and returns its exit code and what it printed.
func (p *Probe) Run(args ...string) (code int, output string, err error) {
	body, err := json.Marshal(args)
	if err != nil {
		return 0, "", err
	}
	b, err := p.Do(http.MethodPost, "/probe/run", nil, body)
	if err != nil {
		return 0, "", err
	}
	var answer struct {
		Code   int    `json:"code"`
		Output string `json:"output"`
	}
	err = json.Unmarshal(b, &answer)
	return answer.Code, answer.Output, err
}

// Spawn starts a program of the image inside the session and does not wait for
// it; what it prints goes into the session's log.
func (p *Probe) Spawn(args ...string) error {
	body, err := json.Marshal(args)
	if err == nil {
		_, err = p.Do(http.MethodPost, "/probe/spawn", nil, body)
	}
	return err
}

// Open opens a file of the session for reading and writing, and returns the
// error's name ("EPERM"), or "" when it could be opened.
func (p *Probe) Open(path string) (string, error) {
	b, err := p.Do(http.MethodGet, "/probe/open", url.Values{"path": {path}}, nil)
	return string(b), err
}

// Orphan starts a grandchild whose parent ends at once, that lives on for a
// long time.
func (p *Probe) Orphan() error {
	_, err := p.Do(http.MethodPost, "/probe/orphan", nil, nil)
	return err
}
