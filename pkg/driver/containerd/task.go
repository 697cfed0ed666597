package containerd

import (
	"context"
	"fmt"
	"path/filepath"
	"syscall"
	"time"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/cio"
	"github.com/containerd/errdefs"

	"github.com/medforge/medforge/pkg/driver/containerd/logdriver"
	"github.com/medforge/medforge/pkg/session"
	"github.com/medforge/medforge/pkg/session/faultpoint"
)

// retryEvery is the pause before a task that did not do as it was told is
// looked at again.
const retryEvery = 50 * time.Millisecond

func (d *Driver) logPath(slug string) string { return filepath.Join(d.c.LogDir, slug+".log") }

// Start implements session.Runtime. Only one whose network is there can start:
// after a reboot Create makes it anew.
func (d *Driver) Start(ctx context.Context, slug string) error {
	unlock, err := d.lockSlug(ctx, slug)
	if err != nil {
		return err
	}
	// containerd takes a task whose making is interrupted away in the
	// background, together with whatever is made in its place meanwhile. So it
	// is not interrupted: a caller whose time is over leaves, the work goes on,
	// and whoever comes next waits for its end.
	done := make(chan error, 1)
	go func() {
		defer unlock()
		work, cancel := context.WithTimeout(d.in(context.WithoutCancel(ctx)), startTime)
		defer cancel()
		done <- d.start(work, slug)
	}()
	select {
	case err = <-done:
	case <-ctx.Done():
		err = ctx.Err()
	}
	return d.fail(ctx, err, "starting session %s", slug)
}

// startTime bounds making and starting a task.
const startTime = time.Minute

func (d *Driver) start(ctx context.Context, slug string) error {
	c, err := d.cli.LoadContainer(ctx, session.ContainerName(slug))
	if errdefs.IsNotFound(err) {
		return errNoContainer(slug)
	}
	if err != nil {
		return err
	}
	cut, err := d.mayBeCut(ctx, c)
	if err != nil {
		return err
	}
	for giveUp := time.Now().Add(2 * clearTime); ; cut = true {
		if cut {
			if err := d.settle(ctx, c); err != nil {
				return err
			}
		}
		err := d.startTask(ctx, c, slug)
		if err == nil || !leftover(err) || time.Now().After(giveUp) {
			return err
		}
		if dir := d.staleFolder(err, c.ID()); cut && dir != "" {
			d.c.Logger.Warn("a task's folder that containerd forgot is removed", "container", c.ID(), "folder", dir)
			if err := removeFolder(ctx, dir); err != nil {
				return err
			}
		}
	}
}

func (d *Driver) startTask(ctx context.Context, c client.Container, slug string) error {
	task, status, err := d.task(ctx, c)
	if err != nil {
		return err
	}
	switch status {
	case client.Running:
		return nil
	case client.Paused, client.Pausing:
		return task.Resume(ctx)
	case noTask:
	case client.Unknown:
		return errNoAnswer(slug)
	default:
		// One that ended, or that an earlier try made. That one is not started:
		// its start can have been cut off as well, and to start it again would
		// wait for ever for a program that has gone long ago.
		if err := d.deleteTask(ctx, c); err != nil {
			return fmt.Errorf("removing an earlier task: %w", err)
		}
	}
	log := logdriver.Settings{Path: d.logPath(slug), MaxBytes: d.c.LogMaxBytes}
	task, err = c.NewTask(ctx, cio.LogURI(log.URI(d.c.LogProgram)))
	if err != nil {
		return err
	}
	faultpoint.Hit("task.created")
	if err := task.Start(ctx); err != nil {
		undo, cancel := d.undoContext(ctx)
		defer cancel()
		if left := d.deleteTask(undo, c); left != nil {
			d.c.Logger.Warn("a task that did not start is left; stopping the session takes it away", "slug", slug, "error", left)
		}
		return err
	}
	return nil
}

// noTask is the status of a container without a task.
const noTask client.ProcessStatus = "none"

// task returns the container's task and its status, or noTask.
func (d *Driver) task(ctx context.Context, c client.Container) (client.Task, client.ProcessStatus, error) {
	task, err := c.Task(ctx, nil)
	if errdefs.IsNotFound(err) {
		return nil, noTask, nil
	}
	if err != nil {
		return nil, client.Unknown, err
	}
	status, err := task.Status(ctx)
	if errdefs.IsNotFound(err) {
		return nil, noTask, nil
	}
	return task, status.Status, err
}

// Stop implements session.Runtime.
func (d *Driver) Stop(ctx context.Context, slug string, grace time.Duration) error {
	unlock, err := d.lockSlug(ctx, slug)
	if err != nil {
		return err
	}
	defer unlock()
	return d.fail(ctx, d.stop(d.in(ctx), slug, grace), "stopping session %s", slug)
}

func (d *Driver) stop(ctx context.Context, slug string, grace time.Duration) error {
	c, err := d.cli.LoadContainer(ctx, session.ContainerName(slug))
	if errdefs.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	killAt := time.Now().Add(grace) // a monotonic clock, for a timer
	asked := false
	for {
		task, status, err := d.task(ctx, c)
		switch {
		case err != nil:
		case status == noTask:
			return nil
		case status == client.Paused || status == client.Pausing:
			// A frozen process takes no signal, not even SIGKILL under cgroup v1.
			err = task.Resume(ctx)
		case status == client.Running:
			err = d.end(ctx, task, !asked, killAt)
			asked = true
		default:
			err = d.deleteTask(ctx, c)
		}
		// A shim that died is cleared away by containerd, and until then calls
		// fail in many ways: look again, and again, until it is gone or time is
		// over. containerd itself being gone is for the caller to wait for.
		if err != nil && (interrupted(err) || lost(err) && !d.answers(ctx)) {
			return err
		}
		if err != nil {
			d.c.Logger.Debug("a session's task did not do as told, looking again", "slug", slug, "status", status, "error", err)
			if err := pause(ctx, retryEvery); err != nil {
				return err
			}
		}
	}
}

// answers says whether containerd itself does.
func (d *Driver) answers(ctx context.Context) bool {
	_, err := d.cli.Version(ctx)
	return err == nil
}

// end asks the task to end, once, and makes it end when its grace is over.
func (d *Driver) end(ctx context.Context, task client.Task, ask bool, killAt time.Time) error {
	// Ended with this call, so that nothing waits on in the background.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	exit, err := task.Wait(ctx)
	if err != nil {
		return err
	}
	if ask && time.Until(killAt) > 0 {
		if err := task.Kill(ctx, syscall.SIGTERM); err != nil && !errdefs.IsNotFound(err) {
			return err
		}
		faultpoint.Hit("task.asked")
	}
	timer := time.NewTimer(time.Until(killAt))
	defer timer.Stop()
	select {
	case status := <-exit:
		return status.Error()
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
	}
	if err := task.Kill(ctx, syscall.SIGKILL, client.WithKillAll); err != nil && !errdefs.IsNotFound(err) {
		return err
	}
	select {
	case status := <-exit:
		return status.Error()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// deleteTask removes a task that does not run, or never started.
func (d *Driver) deleteTask(ctx context.Context, c client.Container) error {
	task, status, err := d.task(ctx, c)
	if err != nil || status == noTask {
		return err
	}
	var opts []client.ProcessDeleteOpts
	if status != client.Stopped {
		opts = append(opts, client.WithProcessKill)
	}
	_, err = task.Delete(ctx, opts...)
	faultpoint.Hit("task.deleted")
	if errdefs.IsNotFound(err) {
		return nil
	}
	return err
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
