package competition

import (
	"cmp"

	"github.com/medforge/medforge/pkg/scoring"
)

// Manifest is competition.yaml. bundle.schema.json says what each key takes.
type Manifest struct {
	CompetitionSpecVersion string           `json:"competition_spec_version,omitempty"`
	Slug                   string           `json:"slug"`
	Title                  string           `json:"title"`
	Status                 State            `json:"status,omitempty"`
	CompetitionTier        string           `json:"competition_tier,omitempty"`
	Metric                 string           `json:"metric"`
	MetricOptions          scoring.Options  `json:"metric_options,omitzero"`
	Direction              string           `json:"direction"` // "maximize" or "minimize"
	IDColumn               string           `json:"id_column"`
	Targets                []scoring.Column `json:"targets"`
	Truth                  *scoring.Column  `json:"truth,omitempty"`
	Rows                   int              `json:"rows,omitempty"`
	DailyCap               int              `json:"daily_cap"`
	AttemptsPerDay         int              `json:"attempts_per_day,omitempty"`
	Limits                 scoring.Limits   `json:"limits,omitzero"`
	Dataset                *ManifestDataset `json:"dataset,omitempty"`
	License                string           `json:"license,omitempty"`
	Source                 string           `json:"source,omitempty"`
	EvaluationSplitVersion string           `json:"evaluation_split_version"`
	ScoringMode            string           `json:"scoring_mode,omitempty"`
	LeaderboardRule        string           `json:"leaderboard_rule,omitempty"`
	EvaluationPolicy       string           `json:"evaluation_policy,omitempty"`
	IsPermanent            bool             `json:"is_permanent,omitempty"`
	Leaderboard            BoardOptions     `json:"leaderboard,omitzero"`
}

// ManifestDataset is what people work with.
type ManifestDataset struct {
	Slug    string `json:"slug"`
	Title   string `json:"title"`
	Source  string `json:"source,omitempty"`
	License string `json:"license,omitempty"`
}

// BoardOptions say how much of a score is shown.
type BoardOptions struct {
	// Decimals are those that scores are shown with; nil shows all.
	Decimals *int `json:"decimals,omitempty"`
	// LadderStep is the step of the Ladder rule; 0 is off.
	LadderStep float64 `json:"ladder_step,omitempty"`
}

// defaults fills what competition.yaml may leave out.
func (m *Manifest) defaults() {
	m.CompetitionSpecVersion = cmp.Or(m.CompetitionSpecVersion, "1")
	m.Status = cmp.Or(m.Status, Open)
	m.CompetitionTier = cmp.Or(m.CompetitionTier, "public")
	m.AttemptsPerDay = cmp.Or(m.AttemptsPerDay, 10*m.DailyCap)
	m.ScoringMode = cmp.Or(m.ScoringMode, "single_realtime_hidden")
	m.LeaderboardRule = cmp.Or(m.LeaderboardRule, "best_per_user")
	m.EvaluationPolicy = cmp.Or(m.EvaluationPolicy, "canonical_test_first")
}

// Spec is what scoring needs of it.
func (m Manifest) Spec() scoring.Spec {
	return scoring.Spec{IDColumn: m.IDColumn, Targets: m.Targets, Truth: m.Truth, Rows: m.Rows,
		Metric: m.Metric, Options: m.MetricOptions, Limits: m.Limits}
}
