package porttest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"tags.cncf.io/container-device-interface/pkg/parser"

	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
)

// GPUsKit is one implementation of session.GPUs with what the suite needs to
// act on it from outside. Where a knob is nil, as on real hardware, what needs
// it is left out.
type GPUsKit struct {
	GPUs session.GPUs
	// Injects says that devices reach sessions, by CDI.
	Injects bool
	// Hold makes something use the device; empty takes it away.
	Hold func(t *testing.T, uuid, what string)
	// Break makes the device fail with a reason; empty mends it.
	Break func(t *testing.T, uuid, why string)
}

// GPUs is the conformance suite of session.GPUs. open returns an implementation
// with one device at least, all of them idle, or skips.
func GPUs(t *testing.T, open func(t *testing.T) GPUsKit) {
	tests := []struct {
		name string
		run  func(t *testing.T, k GPUsKit)
	}{
		{"Inventory", testInventory},
		{"InventoryIsTheCallers", testInventoryIsTheCallers},
		{"UnknownDevice", testUnknownDevice},
		{"CDIDevices", testCDIDevices},
		{"Clean", testClean},
		{"Held", testHeld},
		{"Broken", testBroken},
		{"EndedContext", testGPUContext},
		{"AtTheSameTime", testGPUsTogether},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

// inventory reads the devices and checks what holds for every one.
func inventory(t *testing.T, k GPUsKit) []session.GPU {
	t.Helper()
	all, err := k.GPUs.Inventory(deadline(t))
	if err != nil {
		t.Fatalf("Inventory: %v", err)
	}
	if len(all) == 0 {
		t.Fatal("Inventory: no device")
	}
	seen := map[string]bool{}
	for i, g := range all {
		if i > 0 && g.Index <= all[i-1].Index {
			t.Errorf("device %d stands after %d", g.Index, all[i-1].Index)
		}
		if g.UUID == "" && g.Fault != "" {
			continue // lost before it could be asked
		}
		if seen[g.UUID] || g.UUID == "" {
			t.Errorf("device %d has the UUID %q, which is empty or another's", g.Index, g.UUID)
		}
		seen[g.UUID] = true
		if g.Fault != "" {
			continue
		}
		if !strings.HasPrefix(g.UUID, "GPU-") || g.Name == "" {
			t.Errorf("device %d: UUID %q, name %q", g.Index, g.UUID, g.Name)
		}
		if g.MemoryTotalBytes < 1<<30 || g.MemoryUsedBytes < 0 || g.MemoryUsedBytes > g.MemoryTotalBytes {
			t.Errorf("device %d: %d of %d bytes used", g.Index, g.MemoryUsedBytes, g.MemoryTotalBytes)
		}
		if g.UtilisationPct < 0 || g.UtilisationPct > 100 || g.TemperatureC < 0 || g.TemperatureC > 150 || g.PowerMilliwatts < 0 || g.PowerMilliwatts > 5_000_000 {
			t.Errorf("device %d: readings out of range: %+v", g.Index, g)
		}
	}
	return all
}

func testInventory(t *testing.T, k GPUsKit) {
	first, again := inventory(t, k), inventory(t, k)
	same := func(a, b session.GPU) bool {
		return a.Index == b.Index && a.UUID == b.UUID && a.Name == b.Name && a.MemoryTotalBytes == b.MemoryTotalBytes
	}
	if !slices.EqualFunc(first, again, same) {
		t.Errorf("the second inventory has other devices:\n%+v\n%+v", first, again)
	}
}

func testInventoryIsTheCallers(t *testing.T, k GPUsKit) {
	all := inventory(t, k)
	uuid := all[0].UUID
	all[0].UUID, all[0].Fault = "overwritten", "overwritten"
	if again := inventory(t, k); again[0].UUID != uuid || again[0].Fault != "" {
		t.Errorf("a caller's change shows in the next inventory: %+v", again[0])
	}
}

func testUnknownDevice(t *testing.T, k GPUsKit) {
	for _, uuid := range []string{"GPU-00000000-0000-0000-0000-000000000000", "", "all", "0", "../../etc/passwd"} {
		if names, err := k.GPUs.CDIDevices(deadline(t), uuid); !fault.Is(err, fault.NotFound) {
			t.Errorf("CDIDevices(%q): %v, %v; want NotFound", uuid, names, err)
		}
		if err := k.GPUs.Clean(deadline(t), uuid); !fault.Is(err, fault.NotFound) {
			t.Errorf("Clean(%q): %v; want NotFound", uuid, err)
		}
	}
}

func testCDIDevices(t *testing.T, k GPUsKit) {
	given := map[string]string{}
	for _, g := range inventory(t, k) {
		names, err := k.GPUs.CDIDevices(deadline(t), g.UUID)
		if err != nil {
			t.Fatalf("CDIDevices(%s): %v", g.UUID, err)
		}
		if k.Injects != (len(names) > 0) {
			t.Errorf("CDIDevices(%s): %v; devices reach sessions: %t", g.UUID, names, k.Injects)
		}
		for _, name := range names {
			if _, _, _, err := parser.ParseQualifiedName(name); err != nil {
				t.Errorf("CDIDevices(%s): %q is not fully qualified: %v", g.UUID, name, err)
			}
			if other, ok := given[name]; ok {
				t.Errorf("%s and %s have the same CDI device %s", other, g.UUID, name)
			}
			given[name] = g.UUID
		}
	}
}

func testClean(t *testing.T, k GPUsKit) {
	for _, g := range inventory(t, k) {
		if err := k.GPUs.Clean(deadline(t), g.UUID); err != nil {
			t.Errorf("Clean(%s): %v", g.UUID, err)
		}
	}
}

func testHeld(t *testing.T, k GPUsKit) {
	if k.Hold == nil {
		t.Skip("nothing can be put on this device here")
	}
	all := inventory(t, k)
	k.Hold(t, all[0].UUID, "process 4711")
	err := k.GPUs.Clean(deadline(t), all[0].UUID)
	if !fault.Is(err, fault.Busy) || !strings.Contains(err.Error(), "4711") {
		t.Errorf("a held device: %v; want Busy, with what holds it", err)
	}
	for _, g := range all[1:] {
		if err := k.GPUs.Clean(deadline(t), g.UUID); err != nil {
			t.Errorf("another device is not clean: %v", err)
		}
	}
	if again := inventory(t, k); again[0].Fault != "" {
		t.Errorf("a held device has a fault: %s", again[0].Fault)
	}
	k.Hold(t, all[0].UUID, "")
	if err := k.GPUs.Clean(deadline(t), all[0].UUID); err != nil {
		t.Errorf("after the process ended: %v", err)
	}
}

func testBroken(t *testing.T, k GPUsKit) {
	if k.Break == nil {
		t.Skip("this device cannot be broken here")
	}
	all := inventory(t, k)
	broken := all[0]
	k.Break(t, broken.UUID, "fell off the bus")
	after := inventory(t, k)
	if len(after) != len(all) {
		t.Fatalf("%d devices before, %d after one broke; a broken one stays listed", len(all), len(after))
	}
	for i, g := range after {
		if g.UUID != all[i].UUID || (g.Fault != "") != (i == 0) {
			t.Errorf("device %d after device %d broke: %+v", i, broken.Index, g)
		}
	}
	if err := k.GPUs.Clean(deadline(t), broken.UUID); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), after[0].Fault) {
		t.Errorf("Clean of a broken device: %v; want Conflict, with its fault %q", err, after[0].Fault)
	}
	k.Break(t, broken.UUID, "")
	if again := inventory(t, k); again[0].Fault != "" {
		t.Errorf("mended, and still: %s", again[0].Fault)
	}
}

func testGPUContext(t *testing.T, k GPUsKit) {
	uuid := inventory(t, k)[0].UUID
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, inv := k.GPUs.Inventory(ctx)
	_, dev := k.GPUs.CDIDevices(ctx, uuid)
	for what, err := range map[string]error{"Inventory": inv, "CDIDevices": dev, "Clean": k.GPUs.Clean(ctx, uuid)} {
		if !fault.Is(err, fault.Unavailable) || !errors.Is(err, context.Canceled) {
			t.Errorf("%s with an ended context: %v; want Unavailable because of it", what, err)
		}
	}
	inventory(t, k)
}

func testGPUsTogether(t *testing.T, k GPUsKit) {
	uuid := inventory(t, k)[0].UUID
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if _, err := k.GPUs.Inventory(deadline(t)); err != nil {
				t.Errorf("Inventory: %v", err)
			}
			if err := k.GPUs.Clean(deadline(t), uuid); err != nil {
				t.Errorf("Clean: %v", err)
			}
		})
	}
	wg.Wait()
}
