package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

type probes struct {
	began      time.Time
	ignoreTerm atomic.Bool
}

// self is how a child of the same program is started. The folder /proc may be
// missing what a test took away, so it is by name.
const self = "/ide"

func (p *probes) readFile(r *http.Request) (string, error) {
	f, err := os.Open(r.FormValue("path"))
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 1<<20))
	return string(b), err
}

func (p *probes) writeFile(r *http.Request) (string, error) {
	path := r.URL.Query().Get("path")
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return "", err
	}
	return "", os.WriteFile(path, body, 0o644)
}

func (p *probes) list(r *http.Request) (string, error) {
	entries, err := os.ReadDir(r.FormValue("path"))
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, "\n"), err
}

// dial connects, sends a line and returns what comes back first.
func (p *probes) dial(r *http.Request) (string, error) {
	timeout, err := time.ParseDuration(r.FormValue("timeout"))
	if err != nil {
		return "", err
	}
	c, err := net.DialTimeout(r.FormValue("network"), r.FormValue("address"), timeout)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(timeout)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(c, "hello\n"); err != nil {
		return "", err
	}
	buf := make([]byte, 512)
	n, err := c.Read(buf)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return string(buf[:n]), err
}

func (p *probes) env(*http.Request) (string, error) {
	env := map[string]string{}
	for _, kv := range os.Environ() {
		k, v, _ := strings.Cut(kv, "=")
		env[k] = v
	}
	b, err := json.Marshal(env)
	return string(b), err
}

func (p *probes) say(r *http.Request) (string, error) {
	line, err := io.ReadAll(r.Body)
	if err != nil {
		return "", err
	}
	_, err = fmt.Printf("%s\n", line)
	return "", err
}

func (p *probes) print(r *http.Request) (string, error) {
	n, err := strconv.Atoi(r.FormValue("bytes"))
	if err != nil {
		return "", err
	}
	for i := 0; n > 0; i++ {
		if _, err := fmt.Printf("%09d %s\n", i, strings.Repeat("x", 89)); err != nil {
			return "", err
		}
		n -= 100
	}
	return "", nil
}

func (p *probes) exit(r *http.Request) (string, error) {
	code, err := strconv.Atoi(r.FormValue("code"))
	if err != nil {
		return "", err
	}
	os.Exit(code)
	return "", nil
}

func (p *probes) ignore(*http.Request) (string, error) {
	p.ignoreTerm.Store(true)
	return "", nil
}

func (p *probes) eat(r *http.Request) (string, error) {
	cmd := exec.Command(self, "child-eat", r.FormValue("bytes"))
	if err := cmd.Run(); cmd.ProcessState == nil {
		return "", err
	}
	return cmd.ProcessState.String(), nil
}

// eat touches that many bytes and ends.
func eat(arg string) {
	n, err := strconv.Atoi(arg)
	if err != nil {
		os.Exit(2)
	}
	b := make([]byte, n)
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
	fmt.Fprintln(os.Stderr, "ate", len(b), b[len(b)/2])
}

func (p *probes) fork(r *http.Request) (string, error) {
	n, err := strconv.Atoi(r.FormValue("n"))
	if err != nil {
		return "", err
	}
	var children []*exec.Cmd
	var stdins []io.Closer
	for range n {
		cmd := exec.Command(self, "child-wait")
		in, err := cmd.StdinPipe()
		if err != nil {
			break
		}
		if err := cmd.Start(); err != nil {
			_ = in.Close()
			break
		}
		children, stdins = append(children, cmd), append(stdins, in)
	}
	for i := range children {
		_ = stdins[i].Close()
		_ = children[i].Wait()
	}
	return fmt.Sprint(len(children)), nil
}

func (p *probes) orphan(*http.Request) (string, error) {
	return "", exec.Command(self, "child-orphan").Run()
}

// orphan leaves a child behind.
func orphan() {
	if err := exec.Command(self, "child-sleep").Start(); err != nil {
		os.Exit(1)
	}
}
