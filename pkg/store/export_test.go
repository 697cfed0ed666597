package store

// RankKey is shown to the benchmarks that write boards as rows.
var RankKey = rankKey

// SetBlockMax makes the blocks of leaderboards small, so that few entries cut
// them.
func (db *DB) SetBlockMax(n int) { db.blockMax = n }

// BlockMax is the usual size.
const BlockMax = blockMax

// BlockRow is a block, what it counts and what it has.
type BlockRow struct {
	Board, Low     string
	Counted, There int
}

// Blocks returns all boards' blocks; entries below every block are one without
// a count.
func (db *DB) Blocks() ([]BlockRow, error) {
	rows, err := db.r.Query(`SELECT b.competition, b.low, b.n, (SELECT COUNT(*) FROM leaderboard_entries e
		WHERE e.competition = b.competition AND e.split_version = b.split_version AND e.rank_key >= b.low
		AND e.rank_key < COALESCE((SELECT MIN(next.low) FROM board_blocks next WHERE next.competition = b.competition
			AND next.split_version = b.split_version AND next.low > b.low), 'g')) FROM board_blocks b`)
	return collect(rows, err, func(r scanner) (b BlockRow, err error) { return b, r.Scan(&b.Board, &b.Low, &b.Counted, &b.There) })
}
