//go:build !linux

package doctor

import (
	"errors"
	"io/fs"

	"github.com/medforge/medforge/pkg/api"
)

// A MedForge host runs Linux; elsewhere the command line is a client.

func clock() (synchronised, known bool) { return false, false }

func space(string) (free, total uint64, err error) { return 0, 0, errors.ErrUnsupported }

func (h Host) socketRights(name string, _ fs.FileInfo) api.Check { return ok(name, "%s", h.Socket) }
