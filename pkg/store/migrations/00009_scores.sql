-- +goose Up
-- Rows of scores are added and never changed.
-- +goose StatementBegin
CREATE TABLE IF NOT EXISTS scores (
  id              CHAR(36)         NOT NULL,
  submission_id   CHAR(36)         NOT NULL,
  number          INTEGER          NOT NULL,
  scorer_version  VARCHAR(64)      NOT NULL,
  metric_version  VARCHAR(64)      NOT NULL,
  split_version   VARCHAR(64)      NOT NULL,
  manifest_sha256 CHAR(64)         NOT NULL,
  holdout_sha256  CHAR(64)         NOT NULL,
  primary_score   DOUBLE PRECISION NOT NULL,
  components      MEDIUMTEXT       NOT NULL,
  scored_at       BIGINT           NOT NULL,
  PRIMARY KEY (id),
  CONSTRAINT scores_in_order UNIQUE (submission_id, number),
  CONSTRAINT scores_of FOREIGN KEY (submission_id) REFERENCES submissions (id)
) /*! ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin */;
-- +goose StatementEnd
-- The score that stands for a submission on a split's board: its latest there.
-- rank_key is the whole order in one sortable text (rankkey.go): score in its
-- direction, then time, then submission.
-- +goose StatementBegin
CREATE TABLE IF NOT EXISTS official_scores (
  submission_id  CHAR(36)         NOT NULL,
  split_version  VARCHAR(64)      NOT NULL,
  competition    VARCHAR(64)      NOT NULL,
  user_id        CHAR(36)         NOT NULL,
  score_id       CHAR(36)         NOT NULL,
  metric_version VARCHAR(64)      NOT NULL,
  primary_score  DOUBLE PRECISION NOT NULL,
  rank_key       CHAR(64)         NOT NULL,
  scored_at      BIGINT           NOT NULL,
  PRIMARY KEY (submission_id, split_version),
  CONSTRAINT official_scores_of FOREIGN KEY (submission_id) REFERENCES submissions (id)
) /*! ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin */;
-- +goose StatementEnd
CREATE INDEX IF NOT EXISTS official_scores_best ON official_scores (competition, split_version, user_id, rank_key);
-- One row a user and board, kept with each score: reading a page computes
-- nothing.
-- +goose StatementBegin
CREATE TABLE IF NOT EXISTS leaderboard_entries (
  competition    VARCHAR(64)      NOT NULL,
  split_version  VARCHAR(64)      NOT NULL,
  user_id        CHAR(36)         NOT NULL,
  submission_id  CHAR(36)         NOT NULL,
  score_id       CHAR(36)         NOT NULL,
  metric_version VARCHAR(64)      NOT NULL,
  primary_score  DOUBLE PRECISION NOT NULL,
  rank_key       CHAR(64)         NOT NULL,
  scored_at      BIGINT           NOT NULL,
  PRIMARY KEY (competition, split_version, user_id),
  CONSTRAINT leaderboard_entries_of FOREIGN KEY (competition) REFERENCES competitions (slug)
) /*! ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin */;
-- +goose StatementEnd
CREATE INDEX IF NOT EXISTS leaderboard_order ON leaderboard_entries (competition, split_version, rank_key);
