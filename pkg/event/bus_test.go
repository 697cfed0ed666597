package event

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/testkit/watch"
)

// output is a stdout.
type output struct{ watch.Output }

func (o *output) lines(t *testing.T) []map[string]any {
	t.Helper()
	var out []map[string]any
	for _, l := range strings.Split(strings.TrimSuffix(o.String(), "\n"), "\n") {
		var m map[string]any
		if err := json.Unmarshal([]byte(l), &m); err != nil {
			t.Fatalf("not one JSON object a line: %q: %v", l, err)
		}
		out = append(out, m)
	}
	return out
}

func closed(t *testing.T, b *Bus) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := b.Close(ctx); err != nil {
		t.Fatalf("Close: %v", err)
	}
}

func read(t *testing.T, s *Subscription, n int) []uint64 {
	t.Helper()
	var seqs []uint64
	for range n {
		e, ok := <-s.C
		if !ok {
			t.Fatalf("closed after %v: %v", seqs, s.Err())
		}
		seqs = append(seqs, e.Seq)
	}
	return seqs
}

func TestEveryReaderSeesTheSameOrder(t *testing.T) {
	t.Parallel()
	var out output
	var mu sync.Mutex
	var audited []uint64
	b := NewBus(Options{Out: &out, Buffer: 1000, Audit: func(_ context.Context, batch []Event) error {
		mu.Lock()
		defer mu.Unlock()
		for _, e := range batch {
			audited = append(audited, e.Seq)
		}
		return nil
	}})
	s := b.Subscribe(t.Context(), 0, nil)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				b.Publish(Event{Type: SessionStage, Data: map[string]any{"stage": "a\nb<c>"}})
			}
		})
	}
	wg.Wait()
	closed(t, b)
	got := read(t, s, 400)
	printed := out.lines(t)
	for i := range 400 {
		want := uint64(i + 1)
		if got[i] != want || audited[i] != want || printed[i]["seq"] != float64(want) {
			t.Fatalf("place %d: stream %d, audit %d, stdout %v", i, got[i], audited[i], printed[i]["seq"])
		}
	}
	if _, ok := <-s.C; ok || fault.CodeOf(s.Err()) != "events/closed" {
		t.Fatalf("after Close: open %v, err %v", ok, s.Err())
	}
	if len(printed) != 400 || len(audited) != 400 {
		t.Fatalf("printed %d, audited %d", len(printed), len(audited))
	}
}

func TestVolatileAndUnwritable(t *testing.T) {
	t.Parallel()
	var out output
	b := NewBus(Options{Out: &out})
	s := b.Subscribe(t.Context(), 0, nil)
	b.Publish(Event{Type: GPUSample, Volatile: true})
	b.Publish(Event{Type: Scored, Data: map[string]any{"primary_score": math.NaN()}})
	closed(t, b)
	read(t, s, 1)
	if e := <-s.C; e.Data["encode_error"] == nil {
		t.Errorf("the stream got what cannot be written as JSON: %v", e.Data)
	}
	if got := out.lines(t); len(got) != 1 || got[0]["seq"] != 2.0 {
		t.Errorf("stdout: %v", got)
	}
}

func TestSlowReaderIsCutOff(t *testing.T) {
	t.Parallel()
	b := NewBus(Options{Buffer: 3})
	defer closed(t, b)
	slow := b.Subscribe(t.Context(), 0, nil)
	other := b.Subscribe(t.Context(), 0, nil)
	for range 3 {
		b.Publish(Event{Type: DaemonReady})
	}
	read(t, other, 3)
	b.Publish(Event{Type: DaemonReady})
	read(t, other, 1)
	read(t, slow, 3) // what was delivered stays
	if _, ok := <-slow.C; ok || fault.CodeOf(slow.Err()) != "events/reader-too-slow" {
		t.Fatalf("open %v, err %v", ok, slow.Err())
	}
	again := b.Subscribe(t.Context(), 3, nil)
	if got := read(t, again, 1); got[0] != 4 {
		t.Fatalf("resumed at %v", got)
	}
}

func TestResume(t *testing.T) {
	t.Parallel()
	b := NewBus(Options{History: 5})
	defer closed(t, b)
	var last Event
	for i := range 10 {
		b.Publish(Event{Type: GPUSample, Volatile: true}) // takes no room
		last = b.Publish(Event{Type: DaemonReady, Public: i%2 == 0})
	}
	for _, c := range []struct {
		after uint64
		want  string
	}{{9, "events/resume-lost"}, {10, "[12 14 16 18 20]"}, {17, "[18 20]"}, {20, "[]"}, {21, "events/resume-lost"}} {
		ctx, cancel := context.WithCancel(t.Context())
		s := b.Subscribe(ctx, c.after, nil)
		cancel()
		var got []uint64
		for e := range s.C {
			got = append(got, e.Seq)
		}
		str := fmt.Sprint(got)
		if code := fault.CodeOf(s.Err()); code != "" {
			str = code
		}
		if str != c.want {
			t.Errorf("after %d: %s, want %s", c.after, str, c.want)
		}
	}
	if seq, err := b.After(b.ID(last)); err != nil || seq != 20 {
		t.Errorf("After(ID): %d, %v", seq, err)
	}
	for id, want := range map[string]string{
		"other-3": "events/resume-lost", "3": "events/invalid-id", "x-y": "events/invalid-id", "-": "events/invalid-id",
	} {
		if _, err := b.After(id); fault.CodeOf(err) != want {
			t.Errorf("After(%q): %v", id, err)
		}
	}
}

func TestUnsubscribe(t *testing.T) {
	t.Parallel()
	b := NewBus(Options{})
	defer closed(t, b)
	why := errors.New("went away")
	ctx, cancel := context.WithCancelCause(t.Context())
	s := b.Subscribe(ctx, 0, nil)
	cancel(why)
	if _, ok := <-s.C; ok || !errors.Is(s.Err(), why) {
		t.Fatalf("open %v, err %v", ok, s.Err())
	}
	if b.Publish(Event{Type: DaemonReady}); len(b.subs) != 0 {
		t.Fatalf("%d subscribers left", len(b.subs))
	}
}

func TestVisibleTo(t *testing.T) {
	t.Parallel()
	mine, others, public, ours := Event{UserID: "a"}, Event{UserID: "b"}, Event{UserID: "b", Public: true}, Event{}
	accounts := Event{SignedIn: true}
	for _, c := range []struct {
		user  string
		admin bool
		want  [5]bool
	}{
		{"a", false, [5]bool{true, false, true, false, true}},
		{"", false, [5]bool{false, false, true, false, false}},
		{"c", true, [5]bool{true, true, true, true, true}},
	} {
		f := VisibleTo(c.user, c.admin)
		if got := [5]bool{f(mine), f(others), f(public), f(ours), f(accounts)}; got != c.want {
			t.Errorf("%q admin %v: %v, want %v", c.user, c.admin, got, c.want)
		}
	}
}

func TestStdoutThatBlocks(t *testing.T) {
	t.Parallel()
	r, w := io.Pipe()
	b := NewBus(Options{Out: w, Buffer: 10000})
	s := b.Subscribe(t.Context(), 0, nil)
	fill := strings.Repeat("x", 64<<10)
	for range 200 { // 13 MB: more than may wait; Publish must return all the same
		b.Publish(Event{Type: SessionStage, Data: map[string]any{"fill": fill}})
	}
	if printed, _ := b.Dropped(); printed == 0 {
		t.Fatal("nothing dropped: the test did not fill the queue")
	}
	go io.Copy(io.Discard, r)
	for e := range s.C {
		if e.Type == Degraded {
			if e.Data["part"] != "stdout" || e.Data["dropped"].(uint64) == 0 {
				t.Errorf("%v", e.Data)
			}
			break
		}
	}
	closed(t, b)
	// One that never flows again: Close gives up with its context.
	_, stuck := io.Pipe()
	b = NewBus(Options{Out: stuck})
	b.Publish(Event{Type: DaemonReady})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Close on a stuck stdout: %v", err)
	}
	stuck.Close()
}

func TestAuditRetriesAndRecovers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		down, rows := true, 0
		b := NewBus(Options{Buffer: 20000, Audit: func(_ context.Context, batch []Event) error {
			mu.Lock()
			defer mu.Unlock()
			if down {
				return fault.New(fault.Unavailable, "store/unavailable", "down")
			}
			rows += len(batch)
			return nil
		}})
		s := b.Subscribe(t.Context(), 0, func(e Event) bool { return e.Type == Degraded || e.Type == Recovered })
		for range auditQueue + 10 {
			b.Publish(Event{Type: SessionStage})
		}
		if e := <-s.C; e.Type != Degraded || e.Data["part"] != "audit" {
			t.Fatalf("%+v", e)
		}
		mu.Lock()
		down = false
		mu.Unlock()
		if e := <-s.C; e.Type != Recovered {
			t.Fatalf("%+v", e)
		}
		closed(t, b)
		// The recovered event itself is audited, the degraded one is not.
		if _, dropped := b.Dropped(); rows+int(dropped) != auditQueue+10+1 || dropped == 0 {
			t.Errorf("%d rows, %d dropped", rows, dropped)
		}
	})
}

func TestAuditBadRowCostsOnlyItself(t *testing.T) {
	t.Parallel()
	var rows []uint64
	b := NewBus(Options{Audit: func(_ context.Context, batch []Event) error {
		for _, e := range batch {
			if e.Slug == "bad" {
				return errors.New("no such column")
			}
		}
		for _, e := range batch {
			rows = append(rows, e.Seq)
		}
		return nil
	}})
	for _, slug := range []string{"a", "b", "bad", "d"} {
		b.Publish(Event{Type: SessionStart, Slug: slug})
	}
	closed(t, b)
	if fmt.Sprint(rows) != "[1 2 4]" {
		t.Errorf("rows %v", rows)
	}
}

func TestCloseGivesUpOnTheAuditWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := NewBus(Options{Audit: func(ctx context.Context, _ []Event) error {
			<-ctx.Done()
			return ctx.Err()
		}})
		b.Publish(Event{Type: DaemonReady})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if err := b.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close: %v", err)
		}
		if _, dropped := b.Dropped(); dropped != 1 {
			t.Errorf("dropped %d", dropped)
		}
	})
}

func BenchmarkPublish(b *testing.B) {
	for _, n := range []int{0, 1, 100} {
		b.Run(fmt.Sprintf("subscribers=%d", n), func(b *testing.B) {
			bus := NewBus(Options{Out: io.Discard, Buffer: 1 << 14})
			var wg sync.WaitGroup
			for range n {
				s := bus.Subscribe(b.Context(), 0, VisibleTo("u", false))
				wg.Go(func() {
					for range s.C {
					}
				})
			}
			e := Event{Type: SessionStage, UserID: "u", SessionID: "s", Slug: "abcdefgh",
				Data: map[string]any{"stage": "workspace", "duration_ms": 12}}
			b.ReportAllocs()
			for b.Loop() {
				bus.Publish(e)
			}
			bus.Close(context.Background())
			wg.Wait()
		})
	}
}
