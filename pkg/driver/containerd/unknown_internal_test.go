package containerd

import (
	"testing"

	tasktypes "github.com/containerd/containerd/api/types/task"

	"github.com/medforge/medforge/pkg/session"
)

// containerd says "unknown" of a task whose shim did not answer it in time. A
// session was once ended for that.
func TestAnUnknownTaskHasNotEnded(t *testing.T) {
	t.Parallel()
	for status, running := range map[tasktypes.Status]bool{
		tasktypes.Status_UNKNOWN: true, tasktypes.Status_RUNNING: true, tasktypes.Status_PAUSED: true,
		tasktypes.Status_CREATED: false, tasktypes.Status_STOPPED: false,
	} {
		var v session.Container
		addProcess(&v, &tasktypes.Process{Status: status})
		if v.Running != running {
			t.Errorf("%s: running %v", status, v.Running)
		}
	}
}
