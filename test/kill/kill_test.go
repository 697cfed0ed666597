// Package kill kills the daemon. It runs the real one, built with its fault
// points (pkg/session/faultpoint), sends it SIGKILL at each of them while
// sessions start, stop, die and are reconciled, starts it again, and compares
// everything the host has with the rows.
//
//	go test ./test/kill                              a seed of its own, printed when it fails
//	MEDFORGE_KILL_SEED=17 go test ./test/kill        that seed again
//	MEDFORGE_KILLS=1000 go test -timeout 1h ./test/kill
package kill

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/medforge/medforge/pkg/store"
	"github.com/medforge/medforge/pkg/store/storetest"
)

// defaultKills is of each database.
const defaultKills = 120

// number reads an environment variable.
func number(t *testing.T, name string, otherwise int64) int64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatalf("%s=%q is no number", name, text)
	}
	return n
}

// action is what a life of the daemon is made to do.
type action string

const (
	start   action = "start"
	stop    action = "stop"
	die     action = "die"    // a session's process is killed
	cancel  action = "cancel" // stopped while it starts
	busy    action = "busy"   // one stops while another starts
	orphan  action = "orphan" // its row says stopped, and all of it stands
	nothing action = "nothing"
)

// life is one of the daemon: what it does, and where it is killed.
type life struct {
	action action
	point  string // empty: after a while, wherever it is then
	after  time.Duration
}

func (l life) String() string {
	if l.point == "" {
		return fmt.Sprintf("%s, killed after %s", l.action, l.after)
	}
	return fmt.Sprintf("%s, killed at %s", l.action, l.point)
}

// plan is the order of lives that a seed makes: rounds of all fault points.
func plan(rng *rand.Rand, kills int) []life {
	var all []life
	for len(all) < kills {
		var units [][]life
		add := func(a action, points []string) {
			for _, p := range points {
				units = append(units, []life{{action: a, point: p}})
			}
		}
		add(start, startPoints)
		add(stop, stopPoints)
		add(die, deathPoints)
		add(cancel, cancelPoints)
		add(busy, []string{"network.plugged", "create.container", "stop.snapshot", "remove.container"})
		add(orphan, orphanPoints)
		// A sweep that is killed half way leaves what the next life finds
		// without its container.
		units = append(units,
			[]life{{action: orphan, point: "network.unrecorded"}, {action: nothing, point: "reconcile.network"}},
			[]life{{action: orphan, point: "sockets.unmounted"}, {action: nothing, point: "reconcile.sockets"}})
		for _, a := range []action{start, start, stop, stop, die, cancel, busy, busy} {
			units = append(units, []life{{action: a, after: time.Duration(rng.IntN(400)) * time.Millisecond}})
		}
		rng.Shuffle(len(units), func(i, j int) { units[i], units[j] = units[j], units[i] })
		for _, u := range units {
			all = append(all, u...)
		}
	}
	return all[:kills]
}

func TestKills(t *testing.T) {
	t.Parallel()
	seed := uint64(number(t, "MEDFORGE_KILL_SEED", time.Now().UnixNano()%1_000_000))
	kills := int(number(t, "MEDFORGE_KILLS", defaultKills))
	storetest.Both(t, func(t *testing.T, cfg store.Config) {
		t.Logf("seed %d; again: MEDFORGE_KILL_SEED=%d go test -run '%s' ./test/kill", seed, seed, t.Name())
		begin := time.Now()
		c := drive(newWorldOn(t, cfg, nil), rand.New(rand.NewPCG(seed, uint64(len(cfg.Driver)))))
		c.kill() // the first life was for the Pack
		missed := 0
		for n, l := range plan(c.rng, kills) {
			c.last = append(c.last, l)
			if !c.live(l) && l.point != "" {
				missed++
				t.Logf("life %d did not come past its fault point: %v", n, l)
			}
			if t.Failed() {
				t.Fatalf("after %d kills; the last were: %v", n+1, c.last[max(0, len(c.last)-4):])
			}
		}
		if c.up("") {
			c.settle()
			c.check()
		}
		total := 0
		for _, n := range c.hits {
			total += n
		}
		t.Logf("%d kills, %d of them at fault points, in %s", kills, total, time.Since(begin).Round(time.Second))
		if missed > kills/10 {
			t.Errorf("%d of %d lives did not come past their fault points", missed, kills)
		}
		for _, p := range allPoints() {
			if c.hits[p] == 0 && kills >= defaultKills {
				t.Errorf("the daemon was never killed at %s", p)
			}
		}
	})
}
