package containerd

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/containerd/errdefs"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/medforge/medforge/pkg/driver/containerd/network"
	"github.com/medforge/medforge/pkg/fault"
)

// Codes of what can happen anywhere.
const (
	codeUnavailable = "runtime/unavailable"
	codeInterrupted = "runtime/interrupted"
	codeFailed      = "runtime/failed"
	codeNoSpace     = "runtime/out-of-space"
	codeNoPlugins   = "runtime/no-network-plugins"
)

// explain turns an error from below into one of ours. doing is what was being
// done, as it stands after "while". An error that is one of ours stays.
func explain(ctx context.Context, err error, doing string) *fault.Error {
	if err == nil {
		return nil
	}
	if f := fault.As(err); f != nil {
		return f
	}
	missing := (*network.PluginError)(nil)
	switch {
	case ctx.Err() != nil || interrupted(err):
		return fault.Wrap(err, fault.Unavailable, codeInterrupted, "The container runtime was not waited for while %s.", doing)
	case lost(err):
		return fault.Wrap(err, fault.Unavailable, codeUnavailable,
			"containerd does not answer (while %s). Look at it with: systemctl status containerd", doing)
	case errors.As(err, &missing):
		return fault.Wrap(err, fault.Unavailable, codeNoPlugins, "Sessions can have no network: %v.", missing)
	case noSpace(err):
		return fault.Wrap(err, fault.OutOfSpace, codeNoSpace, "No space was left on containerd's disk while %s.", doing)
	}
	return fault.Wrap(err, fault.Internal, codeFailed, "The container runtime failed while %s.", doing)
}

func interrupted(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) ||
		errdefs.IsCanceled(err) || errdefs.IsDeadlineExceeded(err) ||
		status.Code(err) == codes.Canceled || status.Code(err) == codes.DeadlineExceeded
}

// lost says whether containerd, or the shim behind it, is not there.
func lost(err error) bool {
	return errdefs.IsUnavailable(err) || status.Code(err) == codes.Unavailable || errors.Is(err, io.EOF)
}

// noSpace recognises ENOSPC by its text: nothing else of it comes over
// containerd's socket.
func noSpace(err error) bool { return strings.Contains(err.Error(), "no space left on device") }

func errNoContainer(slug string) error {
	return fault.New(fault.NotFound, "runtime/container-not-found", "Session %s has no container.", slug)
}
