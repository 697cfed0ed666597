package competition

import (
	"context"
	"time"
)

// Usage is what a user has spent of one UTC day's counts in a competition.
type Usage struct {
	Attempts int // tries, refused ones included
	Counted  int // submissions that take a place
}

// SubmissionFilter chooses submissions, newest first. Zero fields choose all.
type SubmissionFilter struct {
	Competition string
	UserID      string
	Status      Status
	Limit       int    // rows at most; 0 is all
	After       string // id of the last row of the page before
}

// Completion ends a lease with a score.
type Completion struct {
	SubmissionID string
	Lease        string
	Score        Score
	// Ladder is the step of the Ladder rule (Blum and Hardt 2015, "The Ladder:
	// A Reliable Leaderboard for Machine Learning Competitions"): the board
	// moves only when a score is better than the user's best by more than the
	// step, and shows it rounded to the step. 0 is off.
	Ladder float64
}

// Outcome is what a score changed on its board.
type Outcome struct {
	Submission Submission
	Before     *Entry // the user's entry before, without rank; nil for none
	After      Entry  // and after
}

// Failure ends a lease without a score.
type Failure struct {
	SubmissionID string
	Lease        string
	At           time.Time
	Message      string // for the submission's owner; holds no label
	// Retry puts it back into the queue, to be taken from At on.
	Retry bool
	// OurFault gives the day's place back, if no score was ever made of it.
	OurFault bool
}

// BoardQuery chooses a page of a board, best first.
type BoardQuery struct {
	Competition  string
	SplitVersion string
	Limit        int    // entries at most, above 0
	After        string // Key of the last entry of the page before; empty for the first
}

// Store keeps competitions, submissions, scores and boards. Errors are
// *fault.Error: those each method names, and Unavailable and Internal.
type Store interface {
	// PutCompetition adds a competition, or a new revision of it, and returns
	// it as it stands. The same bundle again changes nothing but UpdatedAt.
	// Errors: Conflict (the metric or its direction changed and SplitVersion
	// did not: one board cannot hold both).
	PutCompetition(ctx context.Context, c Competition) (Competition, error)
	// Competition errors: NotFound "competitions/competition-not-found".
	Competition(ctx context.Context, slug string) (Competition, error)
	// Competitions returns all, by slug.
	Competitions(ctx context.Context) ([]Competition, error)

	// CountAttempt counts a try before anything is read of it. Errors:
	// LimitReached "competitions/attempts-exhausted" when limit is spent.
	CountAttempt(ctx context.Context, slug, userID, day string, limit int) error
	// Usage returns what was spent on a day.
	Usage(ctx context.Context, slug, userID, day string) (Usage, error)
	// CreateSubmission queues a submission and takes one of the day's dailyCap
	// places, both or neither, exactly under any number of callers. Its Status
	// and Counts are set by the store. Errors: LimitReached
	// "competitions/submission-cap-reached", NotFound (the competition), Exists
	// (the id).
	CreateSubmission(ctx context.Context, s Submission, dailyCap int) (Submission, Usage, error)
	// Submission errors: NotFound "competitions/submission-not-found".
	Submission(ctx context.Context, id string) (Submission, error)
	// ListSubmissions errors: Invalid "pagination/invalid-cursor".
	ListSubmissions(ctx context.Context, f SubmissionFilter) ([]Submission, error)
	// Scores returns all scores of a submission, oldest first.
	Scores(ctx context.Context, submissionID string) ([]Score, error)

	// Take gives the oldest queued submission, or one whose lease has ended, to
	// a worker until the moment until. lease names this one taking, unique ever
	// after. Errors: NotFound when nothing waits.
	Take(ctx context.Context, lease string, now, until time.Time) (Submission, error)
	// Extend moves a lease's end. Errors: Conflict (it was taken over, or is
	// done).
	Extend(ctx context.Context, submissionID, lease string, until time.Time) error
	// Complete adds the score and brings the board up to date, in one
	// transaction. The same completion again is no error. Errors: Conflict (the
	// lease was lost), Invalid (a score that is NaN or infinite).
	Complete(ctx context.Context, c Completion) (Outcome, error)
	// Fail ends a lease without a score. A submission that has a score from
	// before keeps it and stays Scored. Errors: Conflict (the lease was lost).
	Fail(ctx context.Context, f Failure) (Submission, error)
	// QueueDepth is how many wait or are being scored.
	QueueDepth(ctx context.Context) (int, error)
	// Rescore queues a submission again, behind those that people wait for.
	// One that waits already, or is being scored, stays as it is. Errors:
	// NotFound.
	Rescore(ctx context.Context, submissionID string, at time.Time) (Submission, error)
	// RescoreAll does so for all of a competition and returns how many.
	RescoreAll(ctx context.Context, slug string, at time.Time) (int, error)

	// Board returns a page, ranks included. Errors: Invalid
	// "pagination/invalid-cursor".
	Board(ctx context.Context, q BoardQuery) ([]Entry, error)
	// BoardSize is how many users are on a board.
	BoardSize(ctx context.Context, slug, splitVersion string) (int, error)
	// UserScores are a user's official scores of a split, one a submission, as
	// entries without rank or name, in the order of time.
	UserScores(ctx context.Context, slug, splitVersion, userID string) ([]Entry, error)
	// Standing is one user's entry with its rank. Errors: NotFound.
	Standing(ctx context.Context, slug, splitVersion, userID string) (Entry, error)

	// PutDataset adds or replaces a dataset's row.
	PutDataset(ctx context.Context, d Dataset) error
	// Dataset errors: NotFound "datasets/not-found".
	Dataset(ctx context.Context, slug string) (Dataset, error)
	// Datasets returns all, by slug.
	Datasets(ctx context.Context) ([]Dataset, error)
}
