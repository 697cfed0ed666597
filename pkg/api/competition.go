package api

import "time"

// Competition is one row of the list.
type Competition struct {
	Slug                   string `json:"slug" example:"titanic-survival"`
	Title                  string `json:"title"`
	CompetitionTier        string `json:"competition_tier"`
	Metric                 string `json:"metric" example:"accuracy"`
	MetricVersion          string `json:"metric_version"`
	HigherIsBetter         bool   `json:"higher_is_better"`
	ScoringMode            string `json:"scoring_mode" example:"single_realtime_hidden"`
	LeaderboardRule        string `json:"leaderboard_rule" example:"best_per_user"`
	EvaluationPolicy       string `json:"evaluation_policy" example:"canonical_test_first"`
	CompetitionSpecVersion string `json:"competition_spec_version"`
	IsPermanent            bool   `json:"is_permanent"`
	SubmissionCapPerDay    int    `json:"submission_cap_per_day"`
}

// CompetitionDetail is one competition in full.
type CompetitionDetail struct {
	Competition
	Description  string `json:"description" doc:"Markdown."`
	Status       string `json:"status"`
	DatasetSlug  string `json:"dataset_slug"`
	DatasetTitle string `json:"dataset_title"`

	EvaluationSplitVersion string   `json:"evaluation_split_version" doc:"Names the hidden labels that submissions are scored against."`
	Columns                []string `json:"columns" nullable:"false" doc:"The header of a submission."`
	Rows                   int      `json:"rows" doc:"How many ids a submission gives."`
	AttemptCapPerDay       int      `json:"attempt_cap_per_day" doc:"Tries on one UTC day, refused ones included."`
	License                string   `json:"license"`
	Source                 string   `json:"source"`
	Revision               int      `json:"revision" doc:"Counts the changes of its bundle, from 1."`
}

// Leaderboard is a page of a competition's board.
type Leaderboard struct {
	CompetitionSlug        string             `json:"competition_slug"`
	Entries                []LeaderboardEntry `json:"entries" nullable:"false"`
	EvaluationSplitVersion string             `json:"evaluation_split_version" doc:"The split that this board shows."`
	Metric                 string             `json:"metric"`
	HigherIsBetter         bool               `json:"higher_is_better"`
	Total                  int                `json:"total" doc:"Users on the whole board."`
	// Me is the asking user's own row, wherever on the board it is.
	Me *LeaderboardEntry `json:"me" doc:"The caller's own entry; null when there is none or nobody is signed in."`
}

// LeaderboardPage is a Leaderboard with how to get the next page.
type LeaderboardPage struct {
	Data Leaderboard `json:"data"`
	Meta ListMeta    `json:"meta"`
}

// LeaderboardEntry is a user's best score.
type LeaderboardEntry struct {
	Rank                   int       `json:"rank"`
	UserID                 string    `json:"user_id" format:"uuid"`
	Name                   string    `json:"name"`
	BestSubmissionID       string    `json:"best_submission_id" format:"uuid"`
	BestScoreID            string    `json:"best_score_id" format:"uuid"`
	PrimaryScore           float64   `json:"primary_score"`
	MetricVersion          string    `json:"metric_version"`
	EvaluationSplitVersion string    `json:"evaluation_split_version"`
	ScoredAt               time.Time `json:"scored_at"`
}

// ScorePoint is a moment at which a user's best became better.
type ScorePoint struct {
	SubmissionID string    `json:"submission_id" format:"uuid"`
	ScoredAt     time.Time `json:"scored_at"`
	PrimaryScore float64   `json:"primary_score"`
}

// ScoreStatus is how far a submission's scoring is.
type ScoreStatus string

// The states of scoring.
const (
	ScoreQueued  ScoreStatus = "queued"
	ScoreScoring ScoreStatus = "scoring"
	ScoreScored  ScoreStatus = "scored"
	ScoreFailed  ScoreStatus = "failed"
)

// Submission is one set of predictions and how it was scored.
type Submission struct {
	ID              string         `json:"id" format:"uuid"`
	CompetitionSlug string         `json:"competition_slug"`
	UserID          string         `json:"user_id" format:"uuid"`
	SessionID       *string        `json:"session_id" doc:"The session it was sent from, or null."`
	Filename        string         `json:"filename"`
	SizeBytes       int64          `json:"size_bytes"`
	SHA256          string         `json:"sha256"`
	Message         string         `json:"message"`
	CreatedAt       time.Time      `json:"created_at"`
	ScoreStatus     ScoreStatus    `json:"score_status" enum:"queued,scoring,scored,failed"`
	ScoreError      string         `json:"score_error" doc:"Why scoring failed; empty otherwise."`
	OfficialScore   *OfficialScore `json:"official_score" doc:"null until it is scored."`
}

// OfficialScore is a score and what made it.
type OfficialScore struct {
	PrimaryScore           float64            `json:"primary_score"`
	ScoreComponents        map[string]float64 `json:"score_components"`
	ScorerVersion          string             `json:"scorer_version"`
	MetricVersion          string             `json:"metric_version"`
	EvaluationSplitVersion string             `json:"evaluation_split_version"`
	ManifestSHA256         string             `json:"manifest_sha256"`
}

// SubmissionCreated is the answer to a submission.
type SubmissionCreated struct {
	Submission     Submission `json:"submission"`
	DailyCap       int        `json:"daily_cap"`
	RemainingToday int        `json:"remaining_today"`
	ResetsAt       time.Time  `json:"resets_at" doc:"When the day's submissions are there again."`
}

// Dataset is what a competition's data is known by; never where it lies.
type Dataset struct {
	Slug     string `json:"slug"`
	Title    string `json:"title"`
	Source   string `json:"source"`
	License  string `json:"license"`
	Bytes    int64  `json:"bytes"`
	Checksum string `json:"checksum"`
}

// DataFile is a file that people may fetch for a competition.
type DataFile struct {
	Path  string `json:"path"`
	Bytes int64  `json:"bytes"`
}

// CompetitionAdded is what an added bundle is now.
type CompetitionAdded struct {
	Competition CompetitionDetail `json:"competition"`
	Notes       []string          `json:"notes" nullable:"false" doc:"What a conversion did not take over."`
}

// Rescored is how many submissions were queued to be scored again.
type Rescored struct {
	Queued int `json:"queued"`
}

// ScoringQueue is what waits for its score.
type ScoringQueue struct {
	Waiting int `json:"waiting" doc:"Submissions that wait or are being scored."`
}

// UploadState is how much of an upload is there.
type UploadState struct {
	Received int64 `json:"received" doc:"Bytes; the next part begins here."`
}

// ImportForm says what the import of a dataset takes.
type ImportForm struct {
	Files []string `json:"files" nullable:"false" doc:"The files that are needed, sent as a tar archive; none: the archive as it was downloaded."`
}

// DatasetImport has an upload become a dataset.
type DatasetImport struct {
	SHA256 string `json:"sha256" minLength:"64" maxLength:"64" doc:"Names the upload."`
	PNG    bool   `json:"png,omitempty" doc:"Write images as PNG files too."`
}
