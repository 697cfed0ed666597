package session

// Trigger is something that can happen to a session.
type Trigger string

// The triggers.
const (
	Answered    Trigger = "answered"     // its IDE answered on its socket
	StartFailed Trigger = "start_failed" // a step of the start failed for good
	StopWanted  Trigger = "stop_wanted"  // its owner or an admin wants it ended
	Died        Trigger = "died"         // its main process is gone without a stop
	GPULost     Trigger = "gpu_lost"     // its GPU fell off the bus
	Ended       Trigger = "ended"        // process gone, snapshot taken, all released
	EndedBadly  Trigger = "ended_badly"  // the same, with something to say
)

// triggers lists every trigger, for the test over every pair.
var triggers = []Trigger{Answered, StartFailed, StopWanted, Died, GPULost, Ended, EndedBadly}

// statuses lists every status.
var statuses = []Status{Starting, Running, Stopping, Stopped, Error}

// transitions is the state machine: what may happen in which state, and which
// state follows. A pair that is not here changes nothing.
var transitions = map[Status]map[Trigger]Status{
	Starting: {
		Answered:    Running,
		StartFailed: Stopping,
		StopWanted:  Stopping,
		GPULost:     Stopping,
	},
	Running: {
		StopWanted: Stopping,
		Died:       Stopping,
		GPULost:    Stopping,
	},
	Stopping: {
		Ended:      Stopped,
		EndedBadly: Error,
	},
}

// NextStatus returns the state that follows, and false where the trigger does
// not apply.
func NextStatus(from Status, t Trigger) (Status, bool) {
	to, ok := transitions[from][t]
	return to, ok
}

// change begins a Change for a trigger: the states it may come from and the
// one it leads to. The table gives every trigger a single target.
func change(t Trigger) Change {
	var c Change
	for _, from := range statuses {
		if to, ok := NextStatus(from, t); ok {
			c.From = append(c.From, from)
			c.To = to
		}
	}
	return c
}

// Step is what the daemon does next for a session.
type Step string

// The steps.
const (
	StepNone       Step = "none"        // row and reality agree
	StepStart      Step = "start"       // make what is missing, wait for the IDE
	StepRecordDead Step = "record_dead" // the process is gone: record it, then finish
	StepFinish     Step = "finish"      // end, snapshot, release
	StepSweep      Step = "sweep"       // terminal: take away what a crash left
)

// Reality is what the host shows of a session.
type Reality string

// The realities.
const (
	Absent  Reality = "absent"  // nothing of it
	Dead    Reality = "dead"    // a container without a running process, or remains of its network or folder
	Alive   Reality = "alive"   // its process runs
	Unknown Reality = "unknown" // the runtime does not answer
)

// realities lists every reality.
var realities = []Reality{Absent, Dead, Alive, Unknown}

// Next is the one answer to "given this row and this reality, what is the next
// step". Reconciliation at start, exit events and the poll all ask it.
// A runtime that does not answer never ends a running session: sessions live
// on while containerd is away.
func Next(row Status, r Reality) Step {
	switch row {
	case Starting:
		// Every step of a start can be repeated, so a start that a crash cut
		// off is simply made again from its beginning.
		return StepStart
	case Running:
		switch r {
		case Absent, Dead:
			return StepRecordDead
		}
		return StepNone
	case Stopping:
		return StepFinish
	case Stopped, Error:
		switch r {
		case Dead, Alive:
			return StepSweep
		}
		return StepNone
	}
	return StepNone
}
