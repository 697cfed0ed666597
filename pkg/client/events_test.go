package client_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/medforge/medforge/pkg/client"
	"github.com/medforge/medforge/pkg/event"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/httpapi"
	"github.com/medforge/medforge/pkg/httpapi/httpapitest"
)

// cuttable stands before a handler and gives out, for each request, a function
// that ends it and returns when it has ended. With a gate, each request first
// waits for a value from it.
func cuttable(gate chan struct{}) (chan func(), func(http.Handler) http.Handler) {
	cuts := make(chan func(), 100)
	return cuts, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if gate != nil {
				<-gate
			}
			ctx, cancel := context.WithCancel(r.Context())
			done := make(chan struct{})
			defer close(done)
			cuts <- func() { cancel(); <-done }
			next.ServeHTTP(w, r.WithContext(ctx))
		})
	}
}

func TestAStreamIsTakenUpAnewWithoutAGap(t *testing.T) {
	t.Parallel()
	cuts, before := cuttable(nil)
	h := httpapitest.Start(t, httpapitest.Options{Before: before})
	retried := make(chan error, 100)
	s, err := dial(t, client.Options{Socket: h.Socket}).Events(within(t), client.EventOptions{Retrying: func(err error) { retried <- err }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var want uint64
	for i := range 4 {
		(<-cuts)() // the first time before any event came
		e := h.Bus.Publish(event.Event{Type: "x"})
		got, err := s.Next()
		if err != nil || got.Seq != e.Seq || (want != 0 && got.Seq != want+1) {
			t.Fatalf("round %d: %+v, %v, published %d", i, got, err, e.Seq)
		}
		want = got.Seq
	}
	if len(retried) == 0 {
		t.Error("nobody was told of the losses")
	}
	s.Close()
	if _, err := s.Next(); !errors.Is(err, context.Canceled) {
		t.Errorf("after Close: %v", err)
	}
}

func TestAStreamThatMissedEventsSaysSo(t *testing.T) {
	t.Parallel()
	gate := make(chan struct{}, 10)
	cuts, before := cuttable(gate)
	h := httpapitest.Start(t, httpapitest.Options{
		Events: func() event.Options { return event.Options{History: 2} },
		Before: before,
	})
	gate <- struct{}{}
	s, err := dial(t, client.Options{Socket: h.Socket}).Events(within(t), client.EventOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	h.Bus.Publish(event.Event{Type: "x"})
	if _, err := s.Next(); err != nil {
		t.Fatal(err)
	}
	(<-cuts)()
	for range 10 {
		h.Bus.Publish(event.Event{Type: "x"})
	}
	gate <- struct{}{}
	for {
		if _, err := s.Next(); err != nil {
			if fault.KindOf(err) != fault.Conflict || fault.CodeOf(err) != "events/resume-lost" {
				t.Errorf("got %v", err)
			}
			return
		}
	}
}

func TestASilentStreamIsTakenUpAnew(t *testing.T) {
	t.Parallel()
	h := httpapitest.Start(t, httpapitest.Options{Edit: func(o *httpapi.Options) { o.KeepAlive = time.Hour }})
	retried := make(chan error, 10)
	s, err := dial(t, client.Options{Socket: h.Socket, Quiet: 20 * time.Millisecond}).Events(within(t), client.EventOptions{Retrying: func(err error) { retried <- err }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	go func() {
		<-retried
		h.Bus.Publish(event.Event{Type: "x"})
	}()
	if _, err := s.Next(); err != nil {
		t.Errorf("%v", err)
	}
}
