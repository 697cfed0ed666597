package nvml

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestLibraryCandidates(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for _, dir := range []string{"usr/local/nvidia-570/lib64", "usr/lib64", "run/nvidia/driver/usr/lib64", "srv"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, dir, libraryName), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{}
	for _, dir := range []string{"usr/lib64", "usr/local/nvidia-570/lib64", "run/nvidia/driver/usr/lib64"} {
		want = append(want, filepath.Join(root, dir, libraryName))
	}
	if got := libraryCandidates("", root); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := libraryCandidates("/x/lib.so", root); !slices.Equal(got, []string{"/x/lib.so"}) {
		t.Errorf("configured: %v", got)
	}
	if got := libraryCandidates("", "/"); len(got) == 0 || got[0] != libraryName {
		t.Errorf("the loader comes first: %v", got)
	}
}

func TestLoadedFrom(t *testing.T) {
	t.Parallel()
	maps := filepath.Join(t.TempDir(), "maps")
	content := "7f00-7f01 r--p 00000000 08:01 12 /usr/lib/libc.so.6\n" +
		"7f02-7f03 r-xp 00000000 00:00 0 \n" +
		"7f04-7f05 r--p 00000000 08:01 13                         /usr/local/nvidia/lib64/libnvidia-ml.so.570.1.2\n"
	if err := os.WriteFile(maps, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := loadedFrom(maps); got != "/usr/local/nvidia/lib64" {
		t.Errorf("%q", got)
	}
	if got := loadedFrom("/proc/self/maps"); got != "" {
		t.Logf("this process has NVML mapped from %s", got)
	}
	if got := loadedFrom(filepath.Join(t.TempDir(), "none")); got != "" {
		t.Errorf("no maps: %q", got)
	}
}
