package store

import (
	"cmp"
	"context"
	"strings"
)

// A board's entries, in order, are cut into blocks of a few
// hundred neighbours, and board_blocks keeps how many each holds. The rank of an entry
// is then the sum of the blocks before its own and a count within that one:
// some hundred rows of two indexes, where counting from the top of a board of
// 20,000 users read them all.
//
// Whoever writes an entry holds the rows of the blocks that it leaves and
// enters, taken in the board's order, so that two never wait crosswise. So the
// entries of a block do not change under somebody who holds its row, and the
// counts are right whenever anybody sees them.
const blockMax = 400 // DB.blockMax, which tests make small

// firstLow is the first block's: no rank key sorts before it.
var firstLow = strings.Repeat("0", rankKeyLength)

// blocks is where one board's blocks are kept.
type blocks struct {
	s           *Competitions
	q           queryer
	slug, split string
}

const oneBoard = ` competition = ? AND split_version = ? `

// at returns the low of the block that holds a key.
func (b blocks) at(ctx context.Context, key string) (low string, err error) {
	err = b.q.QueryRowContext(ctx, `SELECT low FROM board_blocks WHERE`+oneBoard+`AND low <= ? ORDER BY low DESC LIMIT 1`,
		b.slug, b.split, key).Scan(&low)
	if b.s.db.is(err, notThere) {
		return firstLow, b.open(ctx)
	}
	return low, err
}

// open makes a board's first block, over all that is there.
func (b blocks) open(ctx context.Context) error {
	var n int
	err := b.q.QueryRowContext(ctx, `SELECT COUNT(*) FROM leaderboard_entries WHERE`+oneBoard, b.slug, b.split).Scan(&n)
	if err != nil {
		return err
	}
	_, err = b.q.ExecContext(ctx, `INSERT INTO board_blocks (competition, split_version, low, n) VALUES (?,?,?,?)`, b.slug, b.split, firstLow, n)
	if b.s.db.is(err, duplicate) {
		return errAgain // another score opens it at this moment
	}
	return err
}

// move counts an entry out of its old place (empty for a new entry) and into
// the new one. The caller then writes the entry, and calls cut with the low
// that is returned.
func (b blocks) move(ctx context.Context, oldKey, newKey string) (low string, err error) {
	to, err := b.at(ctx, newKey)
	if err != nil {
		return "", err
	}
	from := ""
	if oldKey != "" {
		if from, err = b.at(ctx, oldKey); err != nil {
			return "", err
		}
	}
	type step struct {
		low string
		n   int
	}
	steps := []step{{from, -1}, {to, 1}}
	switch {
	case from == "":
		steps = steps[1:]
	case from == to: // held, because the order within it changes
		steps = []step{{to, 0}}
	case to < from:
		steps[0], steps[1] = steps[1], steps[0]
	}
	for _, s := range steps {
		n, err := changed(b.q.ExecContext(ctx, `UPDATE board_blocks SET n = n + ? WHERE`+oneBoard+`AND low = ?`, s.n, b.slug, b.split, s.low))
		if err != nil {
			return "", err
		}
		if n == 0 {
			return "", errAgain
		}
	}
	// Somebody may have cut a block in two while we waited for it.
	for key, low := range map[string]string{oldKey: from, newKey: to} {
		if key == "" {
			continue
		}
		if now, err := b.at(ctx, key); err != nil || now != low {
			return "", cmp.Or(err, errAgain)
		}
	}
	return to, nil
}

// cut halves a block that has grown too large.
func (b blocks) cut(ctx context.Context, low string) error {
	var n int
	err := b.q.QueryRowContext(ctx, `SELECT n FROM board_blocks WHERE`+oneBoard+`AND low = ?`, b.slug, b.split, low).Scan(&n)
	if err != nil || n <= b.s.db.blockMax {
		return err
	}
	var middle string
	err = b.q.QueryRowContext(ctx, `SELECT rank_key FROM leaderboard_entries /*! FORCE INDEX (leaderboard_order) */
		WHERE`+oneBoard+`AND rank_key >= ? ORDER BY rank_key LIMIT 1 OFFSET ?`, b.slug, b.split, low, n/2).Scan(&middle)
	if err != nil {
		return err
	}
	if _, err = b.q.ExecContext(ctx, `UPDATE board_blocks SET n = ? WHERE`+oneBoard+`AND low = ?`, n/2, b.slug, b.split, low); err != nil {
		return err
	}
	_, err = b.q.ExecContext(ctx, `INSERT INTO board_blocks (competition, split_version, low, n) VALUES (?,?,?,?)`, b.slug, b.split, middle, n-n/2)
	return err
}

// upTo counts the entries up to and with a key. It is one statement, so that
// it sees one moment.
func (b blocks) upTo(ctx context.Context, key string) (n int, err error) {
	err = b.q.QueryRowContext(ctx, `SELECT
		(SELECT COALESCE(SUM(n), 0) FROM board_blocks WHERE`+oneBoard+`AND low < own.low)
		+ (SELECT COUNT(*) FROM leaderboard_entries /*! FORCE INDEX (leaderboard_order) */
			WHERE`+oneBoard+`AND rank_key >= own.low AND rank_key <= ?)
		FROM (SELECT COALESCE(MAX(low), '') AS low FROM board_blocks WHERE`+oneBoard+`AND low <= ?) own`,
		b.slug, b.split, b.slug, b.split, key, b.slug, b.split, key).Scan(&n)
	return n, err
}

// size is how many entries the board has.
func (b blocks) size(ctx context.Context) (n int, err error) {
	err = b.q.QueryRowContext(ctx, `SELECT COALESCE(SUM(n), 0) FROM board_blocks WHERE`+oneBoard, b.slug, b.split).Scan(&n)
	return n, err
}
