package certs

import (
	"context"
	"fmt"
	"time"

	"github.com/libdns/libdns"
	"github.com/miekg/dns"
)

// RFC2136 changes a zone by dynamic updates (RFC 2136), signed by TSIG (RFC
// 8945) where there is a key. BIND, Knot and PowerDNS take them.
type RFC2136 struct {
	Server    string // "192.0.2.1:53"
	KeyName   string // empty: not signed
	Algorithm string // "hmac-sha256"
	Secret    string // base64
}

// dnsTimeout is for one update.
const dnsTimeout = 20 * time.Second

// AppendRecords is libdns.RecordAppender. What stands there already stays: two
// names can have their challenge at the same place at the same time.
func (p RFC2136) AppendRecords(ctx context.Context, zone string, recs []libdns.Record) ([]libdns.Record, error) {
	return p.update(ctx, zone, recs, (*dns.Msg).Insert)
}

// DeleteRecords is libdns.RecordDeleter.
func (p RFC2136) DeleteRecords(ctx context.Context, zone string, recs []libdns.Record) ([]libdns.Record, error) {
	return p.update(ctx, zone, recs, (*dns.Msg).Remove)
}

func (p RFC2136) update(ctx context.Context, zone string, recs []libdns.Record, change func(*dns.Msg, []dns.RR)) ([]libdns.Record, error) {
	m := new(dns.Msg).SetUpdate(dns.Fqdn(zone))
	rrs := make([]dns.RR, 0, len(recs))
	for _, r := range recs {
		rr := r.RR()
		if rr.Type != "TXT" {
			return nil, fmt.Errorf("a record of type %s is not of ACME", rr.Type)
		}
		rrs = append(rrs, &dns.TXT{Txt: []string{rr.Data}, Hdr: dns.RR_Header{
			Name: dns.Fqdn(libdns.AbsoluteName(rr.Name, zone)), Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: uint32(rr.TTL.Seconds())}})
	}
	change(m, rrs)
	c := &dns.Client{Net: "tcp", Timeout: dnsTimeout}
	if p.KeyName != "" {
		key := dns.CanonicalName(p.KeyName)
		c.TsigSecret = map[string]string{key: p.Secret}
		m.SetTsig(key, dns.Fqdn(p.Algorithm), 300, time.Now().Unix())
	}
	answer, _, err := c.ExchangeContext(ctx, m, p.Server)
	if err != nil {
		return nil, fmt.Errorf("update of zone %s at %s: %w", zone, p.Server, err)
	}
	if answer.Rcode != dns.RcodeSuccess {
		return nil, fmt.Errorf("update of zone %s at %s: the server answers %s", zone, p.Server, dns.RcodeToString[answer.Rcode])
	}
	return recs, nil
}
