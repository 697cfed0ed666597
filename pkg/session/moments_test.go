package session_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/medforge/medforge/pkg/session"
	"github.com/medforge/medforge/pkg/store/storetest"
)

// readHook calls back after a row was read as starting, once.
type readHook struct {
	session.Store
	after func(id string)
	done  atomic.Bool
}

func (h *readHook) Get(ctx context.Context, ref string) (session.Session, error) {
	row, err := h.Store.Get(ctx, ref)
	if err == nil && row.Status == session.Starting && h.done.CompareAndSwap(false, true) {
		h.after(row.ID) // reads it again
	}
	return row, err
}

// A stop that comes when the start's row is read, and the start has not begun,
// ends the start all the same and not only when the IDE has answered.
func TestStopJustBeforeTheStart(t *testing.T) {
	t.Parallel()
	var r *rig
	ready := make(chan struct{})
	r = newRig(t, storetest.SQLiteConfig(t), 1, func(o *session.Options) {
		o.StartTimeout = time.Hour
		o.Store = &readHook{Store: o.Store, after: func(id string) {
			<-ready
			if _, err := r.Stop(context.Background(), r.alice, id); err != nil {
				t.Error(err)
			}
		}}
	})
	r.sockets.set(false, nil)
	close(ready)
	s, err := r.Service.Start(t.Context(), r.alice, session.StartRequest{})
	if err != nil {
		t.Fatal(err)
	}
	r.await(s.ID, session.Stopped)
	r.clean()
}

// A session whose api socket could not be served, as when the database did not
// answer for a moment, is served at the next look.
func TestTheAPISocketIsServedAgain(t *testing.T) {
	t.Parallel()
	var served atomic.Int32
	r := newRig(t, storetest.SQLiteConfig(t), 1, func(o *session.Options) {
		o.ServeAPI = func(l net.Listener, _ session.Session) {
			if served.Add(1) == 1 {
				return
			}
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				_ = c.Close()
			}
		}
	})
	s := r.start(r.alice, session.StartRequest{})
	r.eventually("the socket is served again", func() bool { return served.Load() > 1 })
	if _, err := r.Stop(t.Context(), r.alice, s.ID); err != nil {
		t.Fatal(err)
	}
	r.await(s.ID, session.Stopped)
}
