package simgpu_test

import (
	"testing"

	"github.com/medforge/medforge/pkg/driver/simgpu"
	"github.com/medforge/medforge/pkg/porttest"
)

func TestGPUs(t *testing.T) {
	t.Parallel()
	porttest.GPUs(t, func(t *testing.T) porttest.GPUsKit {
		d := simgpu.New("", 7)
		must := func(t *testing.T, err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		return porttest.GPUsKit{
			GPUs:  d,
			Hold:  func(t *testing.T, uuid, what string) { t.Helper(); must(t, d.Hold(uuid, what)) },
			Break: func(t *testing.T, uuid, why string) { t.Helper(); must(t, d.Break(uuid, why)) },
		}
	})
}

// The UUIDs are written in databases: they may never change.
func TestUUIDsStay(t *testing.T) {
	t.Parallel()
	if got, want := simgpu.UUID("", 0), "GPU-3dcb31bc-c1b2-5aa5-b51f-b7ad820829cd"; got != want {
		t.Errorf("UUID of device 0: %s", got)
	}
	if simgpu.UUID("a", 0) == simgpu.UUID("b", 0) || simgpu.UUID("a", 0) == simgpu.UUID("a", 1) {
		t.Error("two devices have one UUID")
	}
}
