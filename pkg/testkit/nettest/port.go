package nettest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// FreePort returns a TCP and UDP port of 127.0.0.1 that nobody uses, below
// those that the kernel gives to outgoing connections: one of these could be
// taken between now and the start of the program that is to listen there. No
// other test on the machine gets it before this one ends.
func FreePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		port := 10000 + rand.IntN(20000)
		address := fmt.Sprintf("127.0.0.1:%d", port)
		tcp, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		udp, err := net.ListenPacket("udp", address)
		tcp.Close()
		if err != nil {
			continue
		}
		udp.Close()
		if reserve(t, fmt.Sprintf("port-%d", port)) {
			return port
		}
	}
	t.Fatal("100 ports of 127.0.0.1 were all taken")
	return 0
}
