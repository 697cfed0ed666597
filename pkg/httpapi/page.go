package httpapi

import (
	"context"
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/medforge/medforge/pkg/api"
	"github.com/medforge/medforge/pkg/auth"
	"github.com/medforge/medforge/pkg/fault"
)

// Paging is part of the input of every list. Exported because Huma skips embedded
// types that are not. A limit out of its bounds becomes
// pagination/invalid-limit in problem.go.
type Paging struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"50" doc:"Rows a page holds at most."`
	Cursor string `query:"cursor" maxLength:"512" doc:"next_cursor of the page before."`
}

func (p Paging) page() Paging { return p }

// pager is an input with Paging in it.
type pager interface{ page() Paging }

// list makes a row whose handler returns a page: the rows, and the key of the
// last one when more follow. The name binds a cursor to its list, so that one
// from elsewhere is refused. after is the key that the cursor holds, or empty.
func list[I pager, T any](r Route, name string, h func(ctx context.Context, a auth.Actor, in *I, limit int, after string) (rows []T, next string, err error)) Route {
	r.Problems = append(r.Problems, 400)
	r.small = r.Method == http.MethodGet
	r.register = func(s *Server, hapi huma.API, op huma.Operation) {
		huma.Register(hapi, op, func(ctx context.Context, in *I) (*output[api.Page[T]], error) {
			ctx, cancel := s.bounded(ctx, r)
			defer cancel()
			p := (*in).page()
			after, err := decodeCursor(name, p.Cursor)
			if err != nil {
				return nil, s.fail(ctx, err)
			}
			rows, next, err := h(ctx, actorOf(ctx), in, p.Limit, after)
			if err != nil {
				return nil, s.fail(ctx, err)
			}
			if rows == nil {
				rows = []T{}
			}
			return &output[api.Page[T]]{api.Page[T]{Data: rows, Meta: s.listMeta(ctx, name, p.Limit, next)}}, nil
		})
	}
	return r
}

// listMeta is about a page whose last row has the key next, when more follow.
func (s *Server) listMeta(ctx context.Context, name string, limit int, next string) api.ListMeta {
	meta := api.ListMeta{Meta: s.meta(ctx), Limit: limit}
	if next != "" {
		c := encodeCursor(name, next)
		meta.NextCursor, meta.HasMore = &c, true
	}
	return meta
}

// whole adapts a list that is always short enough for one page: GPUs, Packs,
// one session's snapshots. It is cut to the limit like any other, by a cursor
// that is the last row's key.
func whole[T any](rows []T, key func(T) string, limit int, after string) ([]T, string, error) {
	if after != "" {
		i := 0
		for i < len(rows) && key(rows[i]) != after {
			i++
		}
		if i == len(rows) {
			return nil, "", invalidCursor()
		}
		rows = rows[i+1:]
	}
	if len(rows) > limit {
		return rows[:limit], key(rows[limit-1]), nil
	}
	return rows, "", nil
}

// A cursor is opaque to clients: base64url of the list's name, a NUL and the
// key of the last row seen.
func encodeCursor(name, key string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(name + "\x00" + key))
}

func decodeCursor(name, cursor string) (key string, err error) {
	if cursor == "" {
		return "", nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return "", invalidCursor()
	}
	of, key, ok := strings.Cut(string(raw), "\x00")
	if !ok || of != name || key == "" {
		return "", invalidCursor()
	}
	return key, nil
}

func invalidCursor() error {
	return fault.New(fault.Invalid, api.CodeInvalidCursor,
		"The cursor is not one that this list gave out. Leave it out to start from the first page.")
}
