package containerd

import (
	"context"
	"fmt"
	"time"

	"github.com/containerd/containerd/api/services/tasks/v1"
	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errgrpc"

	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
)

// Inspect implements session.Runtime.
func (d *Driver) Inspect(ctx context.Context, slug string) (session.Container, error) {
	if err := checkSlug(slug); err != nil {
		return session.Container{}, err
	}
	v, err := d.inspect(d.in(ctx), slug)
	return v, d.fail(ctx, err, "looking at session %s", slug)
}

func (d *Driver) inspect(ctx context.Context, slug string) (session.Container, error) {
	id := session.ContainerName(slug)
	c, err := d.cli.ContainerService().Get(ctx, id)
	if errdefs.IsNotFound(err) {
		return session.Container{}, errNoContainer(slug)
	}
	if err != nil {
		return session.Container{}, err
	}
	v, ours := view(c)
	if !ours {
		return session.Container{}, errNoContainer(slug)
	}
	r, err := d.cli.TaskService().Get(ctx, &tasks.GetRequest{ContainerID: id})
	if err = errgrpc.ToNative(err); errdefs.IsNotFound(err) {
		return v, nil
	}
	if err != nil {
		return session.Container{}, err
	}
	if r.Process.GetStatus() == tasktypes.Status_UNKNOWN {
		return session.Container{}, errNoAnswer(slug)
	}
	addProcess(&v, r.Process)
	return v, nil
}

// errNoAnswer is for a task whose state containerd does not know: its shim did not
// answer in containerd's time, as on a host with far too much to do. It says
// nothing of the session, least of all that it has ended.
func errNoAnswer(slug string) error {
	return fault.New(fault.Unavailable, codeUnavailable, "containerd does not know how the process of session %s is; asked again later.", slug)
}

// addProcess adds what is known of a container's main process.
func addProcess(v *session.Container, p *tasktypes.Process) {
	switch p.GetStatus() {
	case tasktypes.Status_RUNNING, tasktypes.Status_PAUSED, tasktypes.Status_PAUSING, tasktypes.Status_UNKNOWN:
		v.Running = true // unknown: nobody may take it for an end
	case tasktypes.Status_STOPPED:
		v.ExitCode = p.GetExitStatus()
		v.ExitedAt = p.GetExitedAt().AsTime().Truncate(time.Microsecond)
	}
}

// List implements session.Runtime. It asks twice, whatever the number of
// sessions.
func (d *Driver) List(ctx context.Context) ([]session.Container, error) {
	all, err := d.list(d.in(ctx))
	return all, d.fail(ctx, err, "listing containers")
}

func (d *Driver) list(ctx context.Context) ([]session.Container, error) {
	found, err := d.cli.ContainerService().List(ctx, fmt.Sprintf("labels.%q", labelSlug))
	if err != nil {
		return nil, err
	}
	r, err := d.cli.TaskService().List(ctx, &tasks.ListTasksRequest{})
	if err != nil {
		return nil, errgrpc.ToNative(err)
	}
	processes := map[string]*tasktypes.Process{}
	for _, p := range r.Tasks {
		processes[p.ID] = p
	}
	all := make([]session.Container, 0, len(found))
	for _, c := range found {
		v, ours := view(c)
		if !ours {
			continue
		}
		if p := processes[c.ID]; p != nil {
			addProcess(&v, p)
		}
		all = append(all, v)
	}
	return all, nil
}
