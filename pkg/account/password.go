package account

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/medforge/medforge/pkg/fault"
)

// PasswordParams are argon2id's costs. They stand in each hash, so they can be
// changed: a hash with others is made anew at the next sign-in.
type PasswordParams struct {
	MemoryKiB uint32
	Passes    uint32
	Threads   uint8
	// Slots is how many hashes are computed at once: the memory that sign-ins
	// can take is Slots times MemoryKiB.
	Slots int
}

// DefaultPasswordParams are 19 MiB, 2 passes, 1 thread, the first of OWASP's
// equivalent choices (Password Storage Cheat Sheet), two at once.
func DefaultPasswordParams() PasswordParams {
	return PasswordParams{MemoryKiB: 19 * 1024, Passes: 2, Threads: 1, Slots: 2}
}

const (
	saltBytes = 16
	hashBytes = 32
	// hashWaiting is how many may wait for a slot; the rest are told to come
	// back. At 30 ms a hash the last of them waits about a second.
	hashWaiting = 64
)

// hasher computes password hashes, a few at a time.
type hasher struct {
	params PasswordParams
	rand   io.Reader
	slots  chan struct{}
	queue  chan struct{}
	// dummy is verified when there is no account or no password, so that both
	// take as long. Its hash is random bytes that no password gives.
	dummy string
}

func newHasher(p PasswordParams, random io.Reader) (*hasher, error) {
	if p == (PasswordParams{}) {
		p = DefaultPasswordParams()
	}
	if p.MemoryKiB < 8*uint32(p.Threads) || p.Passes < 1 || p.Threads < 1 || p.Slots < 1 {
		return nil, fault.New(fault.Invalid, "accounts/bad-password-params",
			"argon2id needs at least 8 KiB of memory a thread, one pass, one thread and one slot; got %+v", p)
	}
	var raw [saltBytes + hashBytes]byte
	if _, err := io.ReadFull(random, raw[:]); err != nil {
		return nil, fault.Wrap(err, fault.Internal, "accounts/no-randomness", "no randomness")
	}
	return &hasher{params: p, rand: random, slots: make(chan struct{}, p.Slots),
		queue: make(chan struct{}, hashWaiting+p.Slots),
		dummy: phc(p, raw[:saltBytes], raw[saltBytes:])}, nil
}

// hash returns the password's hash in the PHC string form.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	var salt [saltBytes]byte
	if _, err := io.ReadFull(h.rand, salt[:]); err != nil {
		return "", fault.Wrap(err, fault.Internal, "accounts/no-randomness", "no randomness")
	}
	key, err := h.compute(ctx, password, salt[:], h.params, hashBytes)
	if err != nil {
		return "", err
	}
	return phc(h.params, salt[:], key), nil
}

// verify compares a password with a stored hash; an empty one takes as long
// and is never right. stale says that the hash should be made anew.
// Errors: TooMany; Internal when the stored hash cannot be read.
func (h *hasher) verify(ctx context.Context, password, stored string) (right, stale bool, err error) {
	real := stored != ""
	if !real {
		stored = h.dummy
	}
	p, salt, want, err := parsePHC(stored)
	if err != nil {
		return false, false, err
	}
	got, err := h.compute(ctx, password, salt, p, uint32(len(want)))
	if err != nil {
		return false, false, err
	}
	p.Slots = h.params.Slots
	right = subtle.ConstantTimeCompare(got, want) == 1 && real
	return right, right && (p != h.params || len(want) != hashBytes || len(salt) != saltBytes), nil
}

func (h *hasher) compute(ctx context.Context, password string, salt []byte, p PasswordParams, n uint32) ([]byte, error) {
	select {
	case h.queue <- struct{}{}:
		defer func() { <-h.queue }()
	default:
		return nil, errBusy.After(2 * time.Second)
	}
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-ctx.Done():
		return nil, fault.Wrap(ctx.Err(), fault.Timeout, "auth/sign-in-timeout", "the sign-in took too long; try again")
	}
	return argon2.IDKey([]byte(password), salt, p.Passes, p.MemoryKiB, p.Threads, n), nil
}

// phc writes a hash as the PHC string format has it:
// $argon2id$v=19$m=19456,t=2,p=1$salt$hash, both in base64 without padding.
func phc(p PasswordParams, salt, hash []byte) string {
	b := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		p.MemoryKiB, p.Passes, p.Threads, b.EncodeToString(salt), b.EncodeToString(hash))
}

func parsePHC(s string) (p PasswordParams, salt, hash []byte, err error) {
	bad := func() (PasswordParams, []byte, []byte, error) {
		return p, nil, nil, fault.New(fault.Internal, "accounts/bad-password-hash",
			"a stored password hash cannot be read; set a new password with `medforge admin user set`")
	}
	part := strings.Split(s, "$")
	if len(part) != 6 || part[0] != "" || part[1] != "argon2id" || part[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return bad()
	}
	if _, err := fmt.Sscanf(part[3], "m=%d,t=%d,p=%d", &p.MemoryKiB, &p.Passes, &p.Threads); err != nil {
		return bad()
	}
	if p.Passes < 1 || p.Threads < 1 || p.MemoryKiB > 1<<21 || p.Passes > 64 {
		return bad()
	}
	b := base64.RawStdEncoding.Strict()
	if salt, err = b.DecodeString(part[4]); err != nil {
		return bad()
	}
	if hash, err = b.DecodeString(part[5]); err != nil || len(salt) < 8 || len(hash) < 16 || len(hash) > 128 {
		return bad()
	}
	return p, salt, hash, nil
}
