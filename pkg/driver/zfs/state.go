package zfs

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/medforge/medforge/pkg/driver/internal/workspace"
	"github.com/medforge/medforge/pkg/fault"
	"github.com/medforge/medforge/pkg/session"
)

// property is a value and where it comes from: "local", "default",
// "inherited from ...", "-".
type property struct{ value, source string }

// dataset is what zfs says of a dataset or a snapshot.
type dataset struct {
	name  string
	props map[string]property
}

// get reads properties.
func (w *Workspaces) get(ctx context.Context, name string, props ...string) (dataset, error) {
	rows, err := w.cmd.zfs(ctx, "get", "-Hp", "-o", "property,value,source", strings.Join(props, ","), name)
	d := dataset{name: name, props: map[string]property{}}
	if err != nil {
		return d, err
	}
	for _, row := range rows {
		if n := len(row); n >= 3 { // a value may hold tabs
			d.props[row[0]] = property{strings.Join(row[1:n-1], "\t"), row[n-1]}
		}
	}
	for _, p := range props {
		if _, ok := d.props[p]; !ok {
			return d, fmt.Errorf("zfs get %s %s: no answer for %[1]s in %q", p, name, rows)
		}
	}
	return d, nil
}

// own is a user property set on the dataset itself, or "".
func (d dataset) own(name string) string {
	if p := d.props[name]; p.source == "local" || p.source == "received" {
		return p.value
	}
	return ""
}

// number is a size or a count; "none" and "-" are 0.
func (d dataset) number(name string) (int64, error) {
	v := d.props[name].value
	if v == "none" || v == "-" {
		return 0, nil
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		return 0, fault.Wrap(err, fault.Internal, "workspaces/failed", "zfs says that %s of %s is %q", name, d.name, v)
	}
	return n, nil
}

// standing reads the state of ref's dataset; there says whether it exists. The
// answer is never no because the pool or the parent is away.
func (w *Workspaces) standing(ctx context.Context, ref session.Ref, more ...string) (d dataset, there bool, err error) {
	props := append([]string{"type", "mounted", "mountpoint", "origin", "creation", propSession, propOrigin, propReady}, more...)
	d, err = w.get(ctx, w.Name(ref), props...)
	if err == nil {
		return d, true, nil
	}
	what := "the workspace of session " + ref.SessionID + " cannot be read"
	if why(err) != noDataset {
		return d, false, w.fail(err, "%s", what)
	}
	if _, err := w.get(ctx, w.cfg.Parent, "type"); err != nil {
		return d, false, w.parentFault(ctx, err, "%s", what)
	}
	return d, false, nil
}

// find is standing for what must be there and this session's. Errors: Invalid,
// NotFound.
func (w *Workspaces) find(ctx context.Context, ref session.Ref, more ...string) (dataset, error) {
	if err := workspace.CheckRef(ref); err != nil {
		return dataset{}, err
	}
	d, there, err := w.standing(ctx, ref, more...)
	if err == nil && (!there || !ours(d, ref)) {
		err = workspace.NotFound(ref)
	}
	return d, err
}

// ours reports whether a dataset says that it is this session's.
func ours(d dataset, ref session.Ref) bool {
	return d.props["type"].value == "filesystem" && d.own(propSession) == ref.SessionID
}

// exists is the error for a dataset that is there and not what is wanted.
func (w *Workspaces) exists(ref session.Ref, why string) error {
	return fault.New(fault.Exists, "workspaces/exists",
		"the dataset %s is there and %s: look at it, and rename it if it is to be kept: zfs rename", w.Name(ref), why)
}

// ready is the time of our last change, zero before that.
func (d dataset) ready() time.Time {
	ns, err := strconv.ParseInt(d.own(propReady), 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(0, ns)
}
