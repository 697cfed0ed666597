//go:build !cgo

package nvml

import (
	"context"

	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
)

// Driver cannot exist in a build without cgo.
type Driver struct{ session.GPUs }

// Open says that this build cannot load NVML. Errors: NotImplemented.
func Open(context.Context, Options) (*Driver, error) {
	return nil, fault.New(fault.NotImplemented, "gpus/no-cgo", "this medforged was built without cgo and cannot load the NVIDIA driver's library; build it with CGO_ENABLED=1, or choose gpu.driver = \"simulated\"")
}

// Close does nothing.
func (*Driver) Close() error { return nil }

// Version errors: NotImplemented, always.
func (*Driver) Version(context.Context) (string, error) {
	_, err := Open(context.Background(), Options{})
	return "", err
}
