package tui

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/muesli/termenv"
	"golang.org/x/sys/unix"

	"github.com/medforge/medforge/pkg/api"
)

// meter measures single turns. The machine may be busy with something else, so
// that the worst by the clock says little: beside the 99th of 100 by the clock
// stands the worst by what it took of a core.
type meter struct {
	clock, cpu []time.Duration
	began      time.Time
	used       time.Duration
}

func (m *meter) begin() {
	runtime.LockOSThread()
	m.began, m.used = time.Now(), threadTime()
}

func (m *meter) end() {
	m.clock, m.cpu = append(m.clock, time.Since(m.began)), append(m.cpu, threadTime()-m.used)
	runtime.UnlockOSThread()
}

func (m *meter) report(b *testing.B) {
	slices.Sort(m.clock)
	slices.Sort(m.cpu)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.ReportMetric(ms(m.clock[len(m.clock)*99/100]), "p99-ms")
	b.ReportMetric(ms(m.cpu[len(m.cpu)-1]), "worst-cpu-ms")
}

// threadTime is the time of a core that this thread has had.
func threadTime() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkKeysInABurst is how long a key waits and is answered while 1,000
// events a second come: the message that holds a gathering's worth of them, the
// key, and the frame after each. The goal is below 50 ms; the gathering itself
// keeps no key waiting.
func BenchmarkKeysInABurst(b *testing.B) {
	for _, c := range []struct {
		name, screen string
		d            *fake
	}{
		{"sessions", "1", full()}, {"gpus", "2", full()}, {"board", "4", many(100_000)},
	} {
		b.Run(c.name, func(b *testing.B) {
			r := newRig(b, c.d, termenv.TrueColor, true)
			r.size(120, 40)
			r.keys(c.screen)
			if c.name == "board" {
				r.keys("G")
			}
			perMessage := int(gather * 1000 / time.Second)
			rnd := rand.New(rand.NewPCG(3, 4))
			var m meter
			for b.Loop() {
				events := burst(rnd, r.d, perMessage)
				m.begin()
				r.events(events...)
				_ = r.m.View()
				r.send(keyOf("k"))
				_ = r.m.View()
				m.end()
			}
			m.report(b)
		})
	}
}

// burst is a mixture of what a busy host tells.
func burst(rnd *rand.Rand, d *fake, n int) []api.Event {
	out := make([]api.Event, n)
	for i := range out {
		switch i % 4 {
		case 0:
			out[i] = stageEvent("id-c7d2ef5g", "workspace", 10)
		case 1:
			out[i] = api.Event{Type: api.EventSessionRunning, SessionID: "id-k3v7q2xa"}
		case 2:
			out[i] = api.Event{Type: api.EventGPUSample, Data: map[string]any{"gpus": d.gpus}}
		default:
			out[i] = changed(fmt.Sprintf("00000000-0000-4000-8000-%012d", rnd.IntN(100_000)), 1+rnd.IntN(100_000), rnd.Float64())
		}
	}
	return out
}

// BenchmarkScroll is one key and its frame on a board of 100,000 that is loaded
// whole, and on one whose pages come as one scrolls.
func BenchmarkScroll(b *testing.B) {
	for _, key := range []string{"j", "pgdown", "ctrl+u"} {
		b.Run("loaded/"+key, func(b *testing.B) {
			r := newRig(b, many(100_000), termenv.TrueColor, true)
			r.size(120, 40)
			r.keys("4", "G", "g")
			if key == "ctrl+u" {
				r.keys("G")
			}
			if n := len(r.m.screens[3].(*board).st.rows); n != 100_000 {
				b.Fatalf("%d rows", n)
			}
			var m meter
			for b.Loop() {
				m.begin()
				r.send(keyOf(key))
				_ = r.m.View()
				m.end()
			}
			m.report(b)
		})
	}
	b.Run("coming/pgdown", func(b *testing.B) {
		r := newRig(b, many(100_000), termenv.TrueColor, true)
		r.size(120, 40)
		r.keys("4")
		var m meter
		for b.Loop() {
			m.begin()
			_, cmd := r.m.Update(keyOf("pgdown"))
			_ = r.m.View()
			m.end()
			r.do(cmd) // the page, in the background
			if r.m.screens[3].(*board).grid.cursor > 99_000 {
				r.keys("g")
			}
		}
		m.report(b)
	})
}

// BenchmarkSecond is what a second costs while seven sessions are live and
// nobody touches a key: the clock, a reading of the GPUs, and a frame after
// each. Its share of a core is this over a second.
func BenchmarkSecond(b *testing.B) {
	d := full()
	for i := range 7 {
		d.sessions = append(d.sessions, api.Session{ID: fmt.Sprint("s", i), UserID: aliceID, Slug: fmt.Sprintf("seven%d22", i), Status: api.SessionRunning, GPUID: i, GPUUUID: gpuID(i), CreatedAt: noon})
	}
	r := newRig(b, d, termenv.TrueColor, true)
	r.size(120, 40)
	for b.Loop() {
		r.at = r.at.Add(time.Second)
		r.m.Update(tickMsg(r.at))
		_ = r.m.View()
		r.m.Update(feedMsg{events: []api.Event{{Type: api.EventGPUSample, Data: map[string]any{"gpus": d.gpus}}}, conn: r.m.conn})
		_ = r.m.View()
	}
}

var _ tea.Model = (*model)(nil)
