package daemon

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/medforge/medforge/pkg/config"
)

// TestPublicListenerIsKept plays systemd: it takes the descriptor that comes
// with FDSTORE and hands it to the next daemon.
func TestPublicListenerIsKept(t *testing.T) {
	notify := filepath.Join(t.TempDir(), "notify")
	systemd, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: notify, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer systemd.Close()
	t.Setenv("NOTIFY_SOCKET", notify)
	first, err := inherited(nil).listenTCP(t.Context(), storedPublic, "127.0.0.1:0", "http.listen")
	if err != nil {
		t.Fatal(err)
	}
	c := config.Config{HTTP: config.HTTP{Listen: first.Addr().String()}}
	stored := receive(t, systemd, "FDSTORE=1\nFDNAME=public")
	first.Close()

	// Nobody accepts, and nobody is refused.
	conn, err := net.Dial("tcp", c.HTTP.Listen)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	again, err := inherited{storedPublic: {stored}}.listenTCP(t.Context(), storedPublic, c.HTTP.Listen, "http.listen")
	if err != nil || again != net.Listener(stored) {
		t.Fatalf("the next daemon has %v, %v", again, err)
	}
	accepted, err := again.Accept()
	if err != nil {
		t.Fatal(err)
	}
	accepted.Close()

	// Another address: the old one is given up, although systemd still has it.
	kept := held{Listener: stored}.copy(t)
	defer kept.Close()
	c.HTTP.Listen = "127.0.0.1:0"
	moved, err := inherited{storedPublic: {stored}}.listenTCP(t.Context(), storedPublic, c.HTTP.Listen, "http.listen")
	if err != nil {
		t.Fatal(err)
	}
	defer moved.Close()
	receive(t, systemd, "FDSTOREREMOVE=1\nFDNAME=public")
	if conn, err := net.Dial("tcp", first.Addr().String()); err == nil {
		conn.Close()
		t.Error("the old address still answers")
	}
	taken, err := net.Listen("tcp", first.Addr().String())
	if err != nil {
		t.Fatalf("the old address is not free: %v", err)
	}
	taken.Close()
}

// receive is a message to systemd, with the listener that came with it.
func receive(t *testing.T, systemd *net.UnixConn, want string) net.Listener {
	t.Helper()
	message, oob := make([]byte, 256), make([]byte, 256)
	n, m, _, _, err := systemd.ReadMsgUnix(message, oob)
	if err != nil || string(message[:n]) != want {
		t.Fatalf("systemd was told %q, %v; want %q", message[:n], err, want)
	}
	control, err := unix.ParseSocketControlMessage(oob[:m])
	if err != nil || len(control) == 0 {
		return nil
	}
	fds, err := unix.ParseUnixRights(&control[0])
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fds[0]), "stored")
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestSameAddress(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		has     string
		address string
		same    bool
	}{
		{"127.0.0.1:8080", "127.0.0.1:8080", true},
		{"127.0.0.1:8080", "127.0.0.1:http-alt", true},
		{"127.0.0.1:8080", "127.0.0.1:8081", false},
		{"127.0.0.1:8080", "127.0.0.2:8080", false},
		{"[::]:443", ":443", true},
		{"[::]:443", ":https", true},
		{"0.0.0.0:443", ":443", false},
		{"0.0.0.0:443", "0.0.0.0:443", true},
		{"127.0.0.1:443", ":443", false},
		{"[::1]:443", "[::1]:443", true},
		{"127.0.0.1:443", "", false},
	} {
		has, err := net.ResolveTCPAddr("tcp", tt.has)
		if err != nil {
			t.Fatal(err)
		}
		if got := sameAddress(t.Context(), has, tt.address); got != tt.same {
			t.Errorf("%s for %q: %v", tt.has, tt.address, got)
		}
	}
}
