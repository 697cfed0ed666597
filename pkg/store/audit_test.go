package store_test

import (
	"context"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/medforge/medforge/pkg/event"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/store"
	"github.com/medforge/medforge/pkg/store/storetest"
)

func newAudit(t *testing.T, db *store.DB) *store.Audit {
	t.Helper()
	a, err := db.Audit()
	fail(t, err)
	return a
}

func TestAudit(t *testing.T) {
	t.Parallel()
	storetest.Both(t, func(t *testing.T, cfg store.Config) {
		ctx := context.Background()
		db := storetest.Open(t, cfg)
		a := newAudit(t, db)
		users, sess := []string{uuid.NewString(), uuid.NewString()}, uuid.NewString()
		at := time.Date(2026, 11, 1, 0, 0, 0, 1000, time.UTC)
		var all []event.Event
		for i := range 200 {
			e := event.Event{Seq: uint64(i + 1), Time: at.Add(time.Duration(i/5) * time.Second), Type: event.SessionStart, UserID: users[i%2],
				Data: map[string]any{"n": float64(i), "text": "\u2603 ' \\"}, Public: i%3 == 0}
			if i%4 == 0 {
				e.SessionID, e.Slug, e.ActorID, e.Type, e.Data = sess, "abcdefgh", users[0], event.SessionStop, nil
			}
			all = append(all, e)
		}
		volatile := event.Event{Seq: 201, Time: at, Type: event.GPUSample, Volatile: true}
		fail(t, a.AppendEvents(ctx, append(all[:150:150], volatile)))
		// The answer was lost and the caller sends more than before.
		fail(t, a.AppendEvents(ctx, all[100:]))
		fail(t, a.AppendEvents(ctx, nil))
		fail(t, a.AppendEvents(ctx, []event.Event{volatile}))

		check := func(f store.AuditFilter, keep func(event.Event) bool) {
			t.Helper()
			var want, got []event.Event
			for i := len(all) - 1; i >= 0; i-- {
				if keep(all[i]) {
					want = append(want, all[i])
				}
			}
			for f.Limit = 7; ; {
				page, err := a.Events(ctx, f)
				fail(t, err)
				if len(page) == 0 {
					break
				}
				for _, r := range page {
					got = append(got, r.Event)
				}
				f.After = page[len(page)-1].Key()
			}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("filter %+v: got %d events, want %d\n%+v\n%+v", f, len(got), len(want), got, want)
			}
		}
		check(store.AuditFilter{}, func(event.Event) bool { return true })
		check(store.AuditFilter{UserID: users[1]}, func(e event.Event) bool { return e.UserID == users[1] })
		check(store.AuditFilter{SessionID: sess}, func(e event.Event) bool { return e.SessionID == sess })
		check(store.AuditFilter{Type: event.SessionStop}, func(e event.Event) bool { return e.Type == event.SessionStop })
		from, to := at.Add(3*time.Second), at.Add(9*time.Second)
		check(store.AuditFilter{Since: from, Until: to}, func(e event.Event) bool { return !e.Time.Before(from) && e.Time.Before(to) })

		// Another run counts from 1 again; one bad event refuses its batch.
		b := newAudit(t, db)
		fail(t, b.AppendEvents(ctx, all[:1]))
		bad := event.Event{Seq: 3, Time: at, Type: event.Degraded, Data: map[string]any{"f": func() {}}}
		if err := b.AppendEvents(ctx, []event.Event{{Seq: 2, Time: at, Type: event.Degraded}, bad}); !fault.Is(err, fault.Invalid) {
			t.Fatalf("got %v", err)
		}
		rows, err := b.Events(ctx, store.AuditFilter{Limit: 1000})
		fail(t, err)
		if len(rows) != len(all)+1 {
			t.Fatalf("%d events are kept, want %d", len(rows), len(all)+1)
		}
	})
}

func BenchmarkAuditBatch(b *testing.B) {
	for name, open := range engines {
		b.Run(name, func(b *testing.B) {
			a, err := open(b).Audit()
			if err != nil {
				b.Fatal(err)
			}
			var seq uint64
			for b.Loop() {
				batch := make([]event.Event, 256)
				for i := range batch {
					seq++
					batch[i] = event.Event{Seq: seq, Time: time.Now(), Type: event.SessionStage, Data: map[string]any{"stage": fmt.Sprint(i)}}
				}
				if err := a.AppendEvents(context.Background(), batch); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
