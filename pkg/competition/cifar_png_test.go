package competition

import (
	"bytes"
	"image/color"
	"image/png"
	"os"
	"testing"
)

func TestCIFARsPixels(t *testing.T) {
	t.Parallel()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	pixels := make([]byte, 3*cifarPlane)
	// Row 2, column 3.
	pixels[2*32+3], pixels[cifarPlane+2*32+3], pixels[2*cifarPlane+2*32+3] = 10, 20, 30
	in := &importing{files: root}
	if err := in.cifarPNG(pixels, "png/test/00000.png"); err != nil {
		t.Fatal(err)
	}
	raw, err := root.ReadFile("png/test/00000.png")
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if b := img.Bounds(); b.Dx() != 32 || b.Dy() != 32 {
		t.Errorf("size %v", b)
	}
	if got := color.NRGBAModel.Convert(img.At(3, 2)); got != (color.NRGBA{10, 20, 30, 255}) {
		t.Errorf("pixel %v", got)
	}
}
