package vm_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestMemory holds the daemon to what it may cost a host: below 40 MB resident
// while seven sessions run.
func TestMemory(t *testing.T) {
	for i := range 7 {
		newPerson(t, fmt.Sprintf("person%d", i)).start(t)
	}
	pid := strings.TrimSpace(run(t, "systemctl", "show", "-P", "MainPID", "medforged.service"))
	// What the starts needed is given back within a minute.
	eventually(t, "a daemon below 40 MB", 5*time.Minute, func() bool {
		kib := memory(t, pid)
		t.Logf("resident %d KiB, of which %d anonymous", kib["VmRSS:"], kib["RssAnon:"])
		return kib["VmRSS:"]*1024 < 40_000_000
	})
}

// memory reads a process's sizes, in KiB.
func memory(t *testing.T, pid string) map[string]int {
	t.Helper()
	status, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		t.Fatal(err)
	}
	kib := map[string]int{}
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) == 3 && f[2] == "kB" {
			if kib[f[0]], err = strconv.Atoi(f[1]); err != nil {
				t.Fatal(err)
			}
		}
	}
	return kib
}
