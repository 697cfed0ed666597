package certs

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/medforge/medforge/pkg/fault"
)

// lookEvery is how often the files are read. They are small; asking the kernel
// for changes would miss those behind links (certbot, Kubernetes).
const lookEvery = 10 * time.Second

// Files is a certificate chain and its key in two files.
type Files struct {
	cert, key string
	names     []string
	logger    *slog.Logger

	served atomic.Pointer[tls.Certificate]
	seen   [sha256.Size]byte // of both files' content, good or not; Watch's own
}

// OpenFiles reads the pair. names are what it should cover, such as
// "*.medforge.example.org"; where it does not, that is logged, and it is served
// all the same. Errors: Invalid.
func OpenFiles(cert, key string, names []string, logger *slog.Logger) (*Files, error) {
	f := &Files{cert: cert, key: key, names: names, logger: logger}
	pair, sum, err := f.read()
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "daemon/certificate",
			"The certificate %s with the key %s cannot be used. Set http.tls_cert and http.tls_key to a chain and its key, both PEM.", cert, key)
	}
	f.seen = sum
	f.serve(pair)
	return f, nil
}

// read returns the pair. sum tells one content of the files from another, also
// with an error.
func (f *Files) read() (pair *tls.Certificate, sum [sha256.Size]byte, err error) {
	cert, certErr := os.ReadFile(f.cert)
	key, keyErr := os.ReadFile(f.key)
	h := sha256.New()
	h.Write(cert)
	h.Write([]byte{0})
	h.Write(key)
	h.Sum(sum[:0])
	if err := errors.Join(certErr, keyErr); err != nil {
		return nil, sum, err
	}
	p, err := tls.X509KeyPair(cert, key)
	if err == nil && p.Leaf == nil { // GODEBUG=x509keypairleaf=0
		p.Leaf, err = x509.ParseCertificate(p.Certificate[0])
	}
	return &p, sum, err
}

func (f *Files) serve(pair *tls.Certificate) {
	f.served.Store(pair)
	for _, what := range weaknesses(pair.Leaf, f.names, time.Now()) {
		f.logger.Warn("the certificate is not as it should be", "file", f.cert, "why", what)
	}
}

// Certificate is tls.Config.GetCertificate.
func (f *Files) Certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return f.served.Load(), nil
}

// NotAfter is when what is served expires.
func (f *Files) NotAfter() time.Time { return f.served.Load().Leaf.NotAfter }

// Run reads the files anew when they change, until ctx ends. A pair that cannot
// be used, such as one of which only one half is there yet, is said once, and
// the old one stays.
func (f *Files) Run(ctx context.Context) { f.watch(ctx, lookEvery) }

func (f *Files) watch(ctx context.Context, every time.Duration) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		pair, sum, err := f.read()
		if sum == f.seen {
			continue
		}
		f.seen = sum
		if err != nil {
			f.logger.Error("the new certificate cannot be used; the old one stays until the files change again",
				"cert", f.cert, "key", f.key, "error", err, "served_until", f.NotAfter())
			continue
		}
		f.serve(pair)
		f.logger.Info("a new certificate is served", "file", f.cert, "not_after", pair.Leaf.NotAfter)
	}
}
