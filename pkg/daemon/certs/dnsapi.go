package certs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/libdns/libdns"
)

// restClient speaks JSON with a provider's API.
type restClient struct {
	base, token string
	http        http.Client
}

func newREST(base, token string) restClient {
	return restClient{base, token, http.Client{Timeout: dnsTimeout}}
}

// maxRESTAnswer bounds an answer, in bytes.
const maxRESTAnswer = 1 << 20

// call sends in, if there is any, and reads the answer into out.
func (c *restClient) call(ctx context.Context, method, path string, in, out any) error {
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			return err
		}
	}
	q, err := http.NewRequestWithContext(ctx, method, c.base+path, &body)
	if err != nil {
		return err
	}
	q.Header.Set("Authorization", "Bearer "+c.token)
	q.Header.Set("Content-Type", "application/json")
	res, err := c.http.Do(q)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxRESTAnswer))
	if err != nil {
		return err
	}
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s: %.300s", method, path, res.Status, raw)
	}
	if out == nil || len(raw) == 0 {
		return nil
	}
	return json.Unmarshal(raw, out)
}

// made remembers what was made, so that what is deleted is that and nothing
// else.
type made struct {
	mu  sync.Mutex
	ids map[libdns.RR]string // path of the record in the API
}

func (m *made) put(rr libdns.RR, path string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ids == nil {
		m.ids = map[libdns.RR]string{}
	}
	m.ids[key(rr)] = path
}

func (m *made) take(rr libdns.RR) (path string, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	path, ok = m.ids[key(rr)]
	delete(m.ids, key(rr))
	return path, ok
}

// key leaves out what does not name a record.
func key(rr libdns.RR) libdns.RR { return libdns.RR{Name: rr.Name, Type: rr.Type, Data: rr.Data} }

// deleteMade deletes those of the records that were made here.
func (c *restClient) deleteMade(ctx context.Context, m *made, recs []libdns.Record) (gone []libdns.Record, err error) {
	for _, r := range recs {
		path, ok := m.take(r.RR())
		if !ok {
			continue
		}
		if err := c.call(ctx, http.MethodDelete, path, nil, nil); err != nil {
			return gone, err
		}
		gone = append(gone, r)
	}
	return gone, nil
}

// Cloudflare changes a zone by Cloudflare's API (version 4). The token needs
// the permissions Zone Read and DNS Edit for the zone.
type Cloudflare struct {
	rest restClient
	made made
}

// NewCloudflare takes the URL of the API in base; empty: its usual one.
func NewCloudflare(token, base string) *Cloudflare {
	if base == "" {
		base = "https://api.cloudflare.com/client/v4"
	}
	return &Cloudflare{rest: newREST(base, token)}
}

// AppendRecords is libdns.RecordAppender.
func (p *Cloudflare) AppendRecords(ctx context.Context, zone string, recs []libdns.Record) (added []libdns.Record, err error) {
	var zones struct{ Result []struct{ ID string } }
	name := strings.TrimSuffix(zone, ".")
	if err := p.rest.call(ctx, http.MethodGet, "/zones?name="+url.QueryEscape(name), nil, &zones); err != nil {
		return nil, fmt.Errorf("Cloudflare: %w", err)
	}
	if len(zones.Result) != 1 {
		return nil, fmt.Errorf("Cloudflare: the token sees %d zones named %s; it needs Zone Read and DNS Edit for it", len(zones.Result), name)
	}
	records := "/zones/" + url.PathEscape(zones.Result[0].ID) + "/dns_records"
	for _, r := range recs {
		rr := r.RR()
		var answer struct{ Result struct{ ID string } }
		// Cloudflare wants the text of a TXT record in quotes.
		err := p.rest.call(ctx, http.MethodPost, records, map[string]any{"type": rr.Type, "content": `"` + rr.Data + `"`,
			"name": strings.TrimSuffix(libdns.AbsoluteName(rr.Name, zone), "."), "ttl": max(int(rr.TTL/time.Second), 60)}, &answer)
		if err != nil {
			return added, fmt.Errorf("Cloudflare: %w", err)
		}
		p.made.put(rr, records+"/"+url.PathEscape(answer.Result.ID))
		added = append(added, r)
	}
	return added, nil
}

// DeleteRecords is libdns.RecordDeleter.
func (p *Cloudflare) DeleteRecords(ctx context.Context, _ string, recs []libdns.Record) ([]libdns.Record, error) {
	return p.rest.deleteMade(ctx, &p.made, recs)
}

// DigitalOcean changes a zone by DigitalOcean's API (version 2). The token
// needs the scopes domain:read, domain:create and domain:delete.
type DigitalOcean struct {
	rest restClient
	made made
}

// NewDigitalOcean takes the URL of the API in base; empty: its usual one.
func NewDigitalOcean(token, base string) *DigitalOcean {
	if base == "" {
		base = "https://api.digitalocean.com/v2"
	}
	return &DigitalOcean{rest: newREST(base, token)}
}

// AppendRecords is libdns.RecordAppender.
func (p *DigitalOcean) AppendRecords(ctx context.Context, zone string, recs []libdns.Record) (added []libdns.Record, err error) {
	records := "/domains/" + url.PathEscape(strings.TrimSuffix(zone, ".")) + "/records"
	for _, r := range recs {
		rr := r.RR()
		var answer struct {
			Record struct {
				ID int64 `json:"id"`
			} `json:"domain_record"`
		}
		err := p.rest.call(ctx, http.MethodPost, records, map[string]any{"type": rr.Type, "data": rr.Data,
			"name": rr.Name, "ttl": max(int(rr.TTL/time.Second), 30)}, &answer)
		if err != nil {
			return added, fmt.Errorf("DigitalOcean: %w", err)
		}
		p.made.put(rr, fmt.Sprintf("%s/%d", records, answer.Record.ID))
		added = append(added, r)
	}
	return added, nil
}

// DeleteRecords is libdns.RecordDeleter.
func (p *DigitalOcean) DeleteRecords(ctx context.Context, _ string, recs []libdns.Record) ([]libdns.Record, error) {
	return p.rest.deleteMade(ctx, &p.made, recs)
}
