// Package scoring reads prediction files and scores them against a holdout. It
// is pure: bytes in, numbers out, no disk, no clock, no database.
//
// A Spec says which columns there are and which metric counts. LoadHoldout
// reads the hidden truth once; NewScorer puts both together; Score takes one
// prediction file and may be called from many goroutines at once:
//
//	holdout, err := scoring.LoadHoldout(ctx, spec, file)
//	scorer, err := scoring.NewScorer(spec, holdout)
//	score, err := scorer.Score(ctx, upload)
//
// A file that cannot be scored comes back as a *fault.Error whose Fields list
// every kind of mistake with its row, column, count and a few examples. Rows
// are lines of the file as an editor numbers them, the header being row 1.
// Error texts hold what the submitter wrote, cleaned and cut, and row numbers;
// never an id that only the holdout has, never a label.
//
// The metrics are listed by Metrics. A metric that is not defined for what it
// is given is an error; a Score never holds NaN or an infinity. The same file
// gets the same score whatever the order of its rows, to the last digit: sums
// run in the holdout's order, and products are rounded before they are added,
// so that no processor fuses the two. (Boxes with equal confidence are the
// exception: the metric takes them in file order.)
//
// Memory is bounded by the holdout and by Limits, whatever a file holds.
package scoring
