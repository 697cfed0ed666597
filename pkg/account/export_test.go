package account

import "context"

// Sweep is what Run does every half minute.
func (s *Service) Sweep(ctx context.Context) { s.sweep(ctx) }

// HashSecret is for the fuzz target.
func HashSecret(text string) ([32]byte, bool) { return hashSecret(text) }

// ParsePHC is for the tests of what stands in a database.
func ParsePHC(s string) error { _, _, _, err := parsePHC(s); return err }
