package session

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/medforge/medforge/pkg/event"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session/faultpoint"
)

// stage is one step of a start. Each can be repeated; what they make is taken
// away again by finish, which removes whatever is there, so that no undo has
// to be remembered across a crash.
type stage struct {
	name string
	run  func(ctx context.Context, row Session, spec *Spec) error
}

// The stages, in order, by the names that session.stage events carry.
func (s *Service) stages() []stage {
	return []stage{
		{"workspace", s.makeWorkspace},
		{"sockets", s.makeSockets},
		{"gpu", s.findDevice},
		{"container", func(ctx context.Context, _ Session, spec *Spec) error {
			return bounded(ctx, createTimeout, func(ctx context.Context) error { return s.o.Runtime.Create(ctx, *spec) })
		}},
		{"task", func(ctx context.Context, row Session, _ *Spec) error { return s.o.Runtime.Start(ctx, row.Slug) }},
		{"ide", s.awaitIDE},
	}
}

// start makes everything that a session needs and records that it runs. A
// failure is recorded too and undone by the finisher; the error returned is
// only that of recording.
func (s *Service) start(ctx context.Context, row Session) error {
	began := s.o.Now()
	stageCtx, release := s.drives.abortable(ctx, row.ID)
	defer release()
	// A stop that was recorded just before found no start that it could end.
	if now, err := s.get(ctx, row.ID); err != nil || now.Status != Starting {
		return err
	}
	stageCtx, cancel := context.WithTimeout(stageCtx, s.o.StartTimeout+workspaceTimeout)
	defer cancel()
	spec := &Spec{
		SessionID: row.ID, UserID: row.UserID, Slug: row.Slug, Tier: row.Tier, PackDigest: row.PackDigest,
		GPUIndex: row.GPUIndex, GPUUUID: row.GPUUUID, Limits: s.o.Limits,
	}
	for _, st := range s.stages() {
		t := s.o.Now()
		err := st.run(stageCtx, row, spec)
		if ctx.Err() != nil {
			return ctx.Err() // the daemon ends; its next start goes on here
		}
		if errors.Is(context.Cause(stageCtx), errStopWanted) {
			return nil // the row says stopping; the next look finishes it
		}
		data := map[string]any{"stage": st.name, "duration_ms": s.o.Now().Sub(t).Milliseconds()}
		if err != nil {
			data["error"] = publicMessage(err)
			s.publish(event.SessionStage, row, "", data)
			return s.startFailed(ctx, row, st.name, err)
		}
		s.publish(event.SessionStage, row, "", data)
		faultpoint.Hit("start." + st.name)
	}
	c := change(Answered)
	c.At = s.o.Now().UTC()
	c.Workspace = s.o.Workspaces.Name(row.Ref())
	after, err := s.apply(ctx, row.ID, c)
	if fault.Is(err, fault.Conflict) {
		return nil // a stop came in between
	}
	if err != nil {
		return err
	}
	faultpoint.Hit("start.recorded")
	s.publish(event.SessionRunning, after, "", map[string]any{"duration_ms": s.o.Now().Sub(began).Milliseconds()})
	return nil
}

// startFailed records why, with the end of the session's output where there
// is some, and leaves the undoing to the finisher.
func (s *Service) startFailed(ctx context.Context, row Session, stage string, cause error) error {
	s.o.Logger.Warn("session start failed", "session", row.ID, "slug", row.Slug, "stage", stage, "error", cause)
	msg := publicMessage(cause)
	if tail := s.logTail(ctx, row.Slug); tail != "" {
		msg += "\nThe end of its output:\n" + tail
	}
	_, err := s.stopping(ctx, row, StartFailed, ReasonStartFailed, msg, "")
	return err
}

// publicMessage is what an error's owner may read.
func publicMessage(err error) string {
	if f := fault.As(err); f != nil && f.Kind != fault.Internal {
		return f.Message
	}
	return "Something went wrong on the host; its log says what."
}

func (s *Service) makeWorkspace(ctx context.Context, row Session, spec *Spec) error {
	if err := s.fillWorkspace(ctx, row); err != nil {
		return err
	}
	path, err := s.o.Workspaces.Path(ctx, row.Ref())
	spec.WorkspacePath = path
	return err
}

func (s *Service) fillWorkspace(ctx context.Context, row Session) error {
	if row.FromSnapshot == "" {
		return s.o.Workspaces.Create(ctx, row.Ref())
	}
	id, name, _ := strings.Cut(row.FromSnapshot, "@")
	origin, err := s.get(ctx, id)
	if err != nil {
		return err
	}
	return s.o.Workspaces.Clone(ctx, Snapshot{Ref: origin.Ref(), Name: name}, row.Ref())
}

func (s *Service) makeSockets(ctx context.Context, row Session, spec *Spec) error {
	path, err := s.o.Sockets.Create(ctx, row.Slug)
	spec.SocketPath = path
	if err != nil {
		return err
	}
	s.serveAPI(ctx, row)
	return nil
}

func (s *Service) findDevice(ctx context.Context, row Session, spec *Spec) error {
	if err := s.certify(ctx, row); err != nil {
		return err
	}
	devices, err := s.o.GPUs.CDIDevices(ctx, row.GPUUUID)
	spec.CDIDevices = devices
	return err
}

// lookEvery is between looks at the process whose IDE does not answer yet.
const lookEvery = 300 * time.Millisecond

// awaitIDE waits until code-server answers its health check on the session's
// socket. It gives up at StartTimeout, or at once when the process is gone.
func (s *Service) awaitIDE(ctx context.Context, row Session, _ *Spec) error {
	ctx, cancel := context.WithTimeout(ctx, s.o.StartTimeout)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return s.o.Sockets.DialIDE(ctx, row.Slug)
		},
	}}
	var last error
	looked := time.Now()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if last = askIDE(ctx, client); last == nil {
			return nil
		}
		if fault.Is(last, fault.Denied) {
			return fault.Wrap(last, fault.Conflict, "sessions/ide-socket-replaced",
				"What stands at the session's IDE socket is not code-server's: %s", publicMessage(last))
		}
		// By the time, not by the number of tries: one that is taken and never
		// answered takes long.
		if time.Since(looked) > lookEvery {
			looked = time.Now()
			if c, err := s.o.Runtime.Inspect(ctx, row.Slug); err == nil && !c.Running {
				return fault.New(fault.Conflict, "sessions/ide-ended", "The IDE ended by itself with exit code %d before it answered.", c.ExitCode)
			}
		}
		select {
		case <-ctx.Done():
			return fault.Wrap(last, fault.Timeout, "sessions/ide-timeout", "The IDE did not answer within %s.", s.o.StartTimeout)
		case <-tick.C:
		}
	}
}

// askIDE makes one health check. code-server answers {"status": "alive"} or
// "expired" (nobody was active lately): both are an answer.
func askIDE(ctx context.Context, client *http.Client) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://ide/healthz", nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var body struct {
		Status string `json:"status"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(nil, resp.Body, 64<<10)).Decode(&body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || body.Status == "" {
		return fmt.Errorf("health check answered %d", resp.StatusCode)
	}
	return nil
}

// logTail returns the last lines of a session's output, without control
// characters, at most 2,000 bytes.
func (s *Service) logTail(ctx context.Context, slug string) string {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	r, err := s.o.Runtime.Log(ctx, slug, 10, false)
	if err != nil {
		return ""
	}
	defer r.Close()
	var lines []string
	for sc := bufio.NewScanner(r); sc.Scan() && len(lines) < 10; {
		lines = append(lines, printable(sc.Text()))
	}
	out := strings.Join(lines, "\n")
	return strings.ToValidUTF8(out[max(0, len(out)-2000):], "")
}

// printable drops what could move a reader's cursor.
func printable(line string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || (r >= 0x80 && r < 0xa0) {
			return -1
		}
		return r
	}, line)
}
