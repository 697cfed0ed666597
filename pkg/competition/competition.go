// Package competition is permanent competitions: bundles with hidden labels,
// submissions and their daily caps, the scoring queue, and leaderboards. It
// knows the database only by the Store port in ports.go.
package competition

import (
	"encoding/json"
	"time"
)

// State says whether a competition takes submissions.
type State string

// The states.
const (
	Open   State = "open"
	Closed State = "closed"
)

// Competition is a bundle as it was last added.
type Competition struct {
	Slug        string
	Title       string
	Description string // Markdown
	State       State
	Tier        string // who may see it, "public"

	Metric         string
	MetricVersion  string
	HigherIsBetter bool
	// SplitVersion names the hidden labels (evaluation_split_version). Its
	// board holds only scores against these, by this metric and direction.
	SplitVersion     string
	SpecVersion      string // competition_spec_version
	ScoringMode      string // "single_realtime_hidden"
	LeaderboardRule  string // "best_per_user"
	EvaluationPolicy string // "canonical_test_first"
	Permanent        bool

	// DailyCap is how many submissions of a user count on one UTC day.
	DailyCap int
	// AttemptCap is how many tries a user has on one UTC day, those refused
	// for their mistakes included.
	AttemptCap int

	DatasetSlug    string
	ManifestSHA256 string // of the bundle's manifest
	HoldoutSHA256  string
	// Spec is the whole of the bundle's competition.yaml as JSON: what only
	// scoring and display need (columns, options, rounding, Ladder step).
	Spec json.RawMessage

	// Revision counts the bundle's changes from 1; the store sets it.
	Revision  int
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Status is how far a submission's scoring is.
type Status string

// The states of scoring.
const (
	Queued  Status = "queued"
	Scoring Status = "scoring" // a worker has it, until its lease ends
	Scored  Status = "scored"
	Failed  Status = "failed" // ScoreError says why
)

// Submission is one file of predictions. The file itself lies in the data
// directory under the submission's id.
type Submission struct {
	ID          string // UUID
	Competition string // slug
	UserID      string
	SessionID   string // the session it was sent from, or empty
	Filename    string
	SizeBytes   int64
	SHA256      string
	Message     string // 500 characters at most
	CreatedAt   time.Time
	Day         string // the UTC day it counts on, DayOf(CreatedAt)

	Status     Status
	ScoreError string // why the last scoring failed, in words for its owner
	// Counts says that it takes one of the day's places. Failed by our fault,
	// it does not.
	Counts bool
	// Tries is how often a worker has taken it, since it was sent or last
	// queued to be scored again.
	Tries int
	// Score is the latest one, nil until there is one.
	Score *Score
}

// Score is what one scoring of a submission gave, and what made it. It is
// never edited; scoring again adds another.
type Score struct {
	ID             string // UUID
	SubmissionID   string
	Number         int // counts a submission's scores from 1; the store sets it
	ScorerVersion  string
	MetricVersion  string
	SplitVersion   string
	ManifestSHA256 string
	HoldoutSHA256  string
	Primary        float64 // never NaN or infinite
	Components     map[string]float64
	ScoredAt       time.Time
}

// Entry is a user's place on a board.
type Entry struct {
	Rank          int // from 1; 0 where it was not asked for
	UserID        string
	Name          string // shown to others; never an email address
	SubmissionID  string
	ScoreID       string
	Primary       float64
	MetricVersion string
	SplitVersion  string
	// ScoredAt is when the submission first had this score: scoring it again
	// with the same result does not lose a tie.
	ScoredAt time.Time
	// Key is the entry's place in the order; the next page starts after it.
	Key string
}

// Dataset is what people work with, as it was imported.
type Dataset struct {
	Slug       string
	Title      string
	Source     string
	License    string
	Bytes      int64
	Checksum   string // "sha256:..."
	ImportedAt time.Time
}

// DayOf returns the UTC day that a moment counts on, "2026-11-24".
func DayOf(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// NextDay returns when the day of a moment ends and its counts start anew.
func NextDay(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour).Add(24 * time.Hour) }
