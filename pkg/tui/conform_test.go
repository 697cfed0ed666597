package tui_test

import (
	"io"
	"strings"
	"testing"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/cli"
	"github.com/medforge/medforge/pkg/client"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/httpapi/httpapitest"
	"github.com/medforge/medforge/pkg/tui"
)

// TestTheFakeBehavesAsTheRealAPI: the same walk on the fake, and on the real
// API through the real client and the adapter that medforge uses.
func TestTheFakeBehavesAsTheRealAPI(t *testing.T) {
	t.Parallel()
	h := httpapitest.Start(t, httpapitest.Options{Competitions: true})
	c, err := client.New(client.Options{Socket: h.Socket})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	for name, d := range map[string]tui.Daemon{"fake": tui.NewFake(), "real": cli.TUIDaemon(c)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			walk(t, d)
		})
	}
}

func walk(t *testing.T, d tui.Daemon) {
	ctx := t.Context()
	me, err := d.Me(ctx)
	if err != nil || me.Role != "admin" || me.UserID == "" {
		t.Fatalf("me: %+v, %v", me, err)
	}
	if h, err := d.Health(ctx); err != nil || h.Status != api.HealthOK {
		t.Errorf("health: %+v, %v", h, err)
	}
	if _, err := d.Host(ctx); err != nil {
		t.Errorf("host: %v", err)
	}
	stream, err := d.Events(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()

	s, err := d.StartSession(ctx, api.SessionCreate{})
	if err != nil || s.Status != api.SessionStarting || s.UserID != me.UserID || s.GPUUUID == "" || s.Slug == "" {
		t.Fatalf("start: %+v, %v", s, err)
	}
	rows, err := d.Sessions(ctx, false, 1)
	if err != nil || len(rows) != 1 || rows[0].ID != s.ID {
		t.Errorf("the newest: %+v, %v", rows, err)
	}
	if rows, err = d.Sessions(ctx, true, 500); err != nil || len(rows) == 0 {
		t.Errorf("all: %+v, %v", rows, err)
	}
	for _, ref := range []string{s.ID, s.Slug} {
		if err := d.StopSession(ctx, ref); err != nil {
			t.Errorf("stop %s: %v", ref, err)
		}
	}
	log, err := d.SessionLogs(ctx, s.ID, 10, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(log); err != nil {
		t.Error(err)
	}
	log.Close()
	if _, err := d.Snapshots(ctx, s.ID); err != nil {
		t.Error(err)
	}
	if u, err := d.SessionUsage(ctx, s.ID); err != nil || u.UsedBytes <= 0 || u.QuotaBytes <= 0 {
		t.Errorf("usage: %+v, %v", u, err)
	}
	gpus, err := d.GPUs(ctx)
	if err != nil || len(gpus) != 7 || gpus[3].Index != 3 || gpus[3].UUID == "" {
		t.Errorf("GPUs: %+v, %v", gpus, err)
	}
	for what, call := range map[string]func() error{
		"stop":        func() error { return d.StopSession(ctx, "zzzzzzzz") },
		"open":        func() error { _, err := d.OpenSession(ctx, "zzzzzzzz"); return err },
		"competition": func() error { _, err := d.Competition(ctx, "no-such"); return err },
		"board":       func() error { _, err := d.Leaderboard(ctx, "no-such", 10, ""); return err },
		"history":     func() error { _, err := d.ScoreHistory(ctx, "no-such", me.UserID); return err },
		"submission":  func() error { _, err := d.Submission(ctx, "no-such"); return err },
		"submit": func() error {
			_, err := d.Submit(ctx, "no-such", tui.Upload{Filename: "a.csv", File: strings.NewReader("id\n"), Size: 3})
			return err
		},
	} {
		if err := call(); !fault.Is(err, fault.NotFound) {
			t.Errorf("%s of something unknown: %v", what, err)
		}
	}
	for what, call := range map[string]func() error{
		"competitions": func() error { _, err := d.Competitions(ctx); return err },
		"users":        func() error { _, err := d.Users(ctx); return err },
		"packs":        func() error { _, err := d.Packs(ctx); return err },
		"queue":        func() error { _, err := d.ScoringQueue(ctx); return err },
		"doctor":       func() error { _, err := d.Doctor(ctx); return err },
		"reconcile":    func() error { _, err := d.Reconcile(ctx); return err },
	} {
		if err := call(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if q, err := d.ScoringQueue(ctx); err != nil || q.Waiting < 0 {
		t.Errorf("queue: %+v, %v", q, err)
	}
}
