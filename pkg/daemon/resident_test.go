package daemon

import (
	"slices"
	"strings"
	"testing"
)

const smaps = `00400000-00411000 r--p 00000000 fe:00 99 /usr/bin/medforged
Rss:                  68 kB
Anonymous:             0 kB
VmFlags: rd mr mw me
00411000-0138d000 r-xp 00011000 fe:00 99 /usr/bin/medforged
Rss:                1024 kB
Anonymous:             0 kB
0138d000-02499000 r--p 00f8d000 fe:00 99 /usr/bin/medforged
Anonymous:            16 kB
02499000-0254e000 rw-p 02099000 fe:00 99 /usr/bin/medforged
Anonymous:             0 kB
7f0000000000-7f0000001000 r-xp 00000000 fe:00 12 /usr/lib/libc.so.6
Anonymous:             0 kB
7f0000002000-7f0000003000 rw-p 00000000 00:00 0
Anonymous:             0 kB
`

// Only what the file has too may be dropped: nothing writable, nothing that the
// loader has written to, nothing of another file.
func TestCleanMappings(t *testing.T) {
	t.Parallel()
	got, err := cleanMappings(strings.NewReader(smaps), "/usr/bin/medforged")
	want := []mapping{{0x400000, 0x411000, 0x11000}, {0x411000, 0x138d000, 0x100000}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%x, %v", got, err)
	}
	if _, err := cleanMappings(strings.NewReader("this is no smaps\n"), "/usr/bin/medforged"); err == nil {
		t.Error("what is no smaps is read as one")
	}
}

// The program runs on, and what was dropped reads as before.
func TestTrimProgram(t *testing.T) {
	t.Parallel()
	for i := range 3 {
		if err := trimProgram(i == 0); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Repeat("ab", 3); got != "ababab" {
		t.Error(got)
	}
}
