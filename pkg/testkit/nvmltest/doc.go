// Package nvmltest gives tests a host with NVIDIA GPUs: go-nvml's mock of a DGX
// A100, whose devices a test can give work, break and take away, and the
// driver's files in a folder, of which real CDI specs are made.
package nvmltest
