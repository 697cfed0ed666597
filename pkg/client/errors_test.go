package client

import (
	"context"
	"io/fs"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/medforge/medforge/pkg/fault"
)

// A socket of another group: root, who runs these tests in many places, may
// use every socket, so the kernel's answer is made here.
func TestASocketThatIsNotForTheCaller(t *testing.T) {
	c, err := New(Options{Socket: "/run/medforge/medforged.sock"})
	if err != nil {
		t.Fatal(err)
	}
	dial := &net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", syscall.EACCES)}
	err = c.unreachable(context.Background(), &url.Error{Op: "Get", URL: "http://medforge/", Err: dial})
	if fault.KindOf(err) != fault.Denied || fault.CodeOf(err) != CodeSocketDenied || !strings.Contains(fault.As(err).Message, "usermod -aG medforge") {
		t.Errorf("got %v", err)
	}
	if root(&fs.PathError{Err: syscall.EIO}) != syscall.EIO {
		t.Error("root does not go to the innermost error")
	}
}
