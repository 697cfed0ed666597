// Command ide is the IDE stand-in of minipack: code-server's flags, its socket
// and its /healthz, and probes for tests. It is built without cgo and is the
// only program of its image.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/coder/websocket"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "child-eat":
			eat(os.Args[2])
			return
		case "child-wait":
			_, _ = bufio.NewReader(os.Stdin).ReadByte() // until the parent closes it
			return
		case "child-orphan":
			orphan()
			return
		case "child-sleep":
			time.Sleep(time.Hour)
			return
		}
	}
	serve()
}

// serve is the IDE.
func serve() {
	// The flags that the driver passes to code-server, so that a change there
	// must be made here.
	socket := flag.String("socket", "", "unix socket to listen on")
	_ = flag.String("auth", "", "")
	_ = flag.String("user-data-dir", "", "")
	_ = flag.String("extensions-dir", "", "")
	for _, name := range []string{"disable-telemetry", "disable-update-check", "disable-workspace-trust"} {
		_ = flag.Bool(name, false, "")
	}
	flag.Parse()

	terms := make(chan os.Signal, 1)
	signal.Notify(terms, syscall.SIGTERM, syscall.SIGINT)

	_ = os.Remove(*socket)
	l, err := net.Listen("unix", *socket)
	if err != nil {
		log.Fatalf("IDE stand-in: %v", err)
	}
	p := &probes{began: time.Now()}
	fmt.Printf("IDE stand-in listening on %s, folder %s\n", *socket, flag.Arg(0))
	go func() {
		for range terms {
			if !p.ignoreTerm.Load() {
				os.Exit(143)
			}
		}
	}()
	log.Fatal(http.Serve(l, p.routes()))
}

// echo is a WebSocket that says back what it is told, as long as it lives.
func echo(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true}) // the proxy has looked at the origin
	if err != nil {
		return
	}
	defer c.CloseNow()
	for {
		kind, message, err := c.Read(r.Context())
		if err != nil {
			return
		}
		if err := c.Write(r.Context(), kind, message); err != nil {
			return
		}
	}
}

func (p *probes) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"status": "alive", "lastHeartbeat": p.began.UnixMilli()})
	})
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "IDE stand-in: %s %s\n", r.Method, r.URL.Path)
	})
	mux.HandleFunc("GET /probe/echo", echo)
	mux.HandleFunc("GET /headers", func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(r.Header)
	})
	for pattern, handle := range map[string]func(r *http.Request) (string, error){
		"GET /probe/file":         p.readFile,
		"POST /probe/file":        p.writeFile,
		"GET /probe/list":         p.list,
		"GET /probe/dial":         p.dial,
		"GET /probe/env":          p.env,
		"POST /probe/try":         p.try,
		"POST /probe/say":         p.say,
		"POST /probe/print":       p.print,
		"POST /probe/exit":        p.exit,
		"POST /probe/ignore-term": p.ignore,
		"POST /probe/eat":         p.eat,
		"POST /probe/fork":        p.fork,
		"POST /probe/orphan":      p.orphan,
		"POST /probe/run":         p.run,
		"POST /probe/spawn":       p.spawn,
		"GET /probe/open":         p.open,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			text, err := handle(r)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			_, _ = io.Copy(w, strings.NewReader(text))
		})
	}
	return mux
}
