-- +goose Up
-- counts: the submission takes one of its day's places. score_id: its latest
-- score, or empty. priority: 0 for what people wait for, 1 for scoring again.
-- not_before: when it may be tried again after a failure; 0 for at once, so
-- that a clock set back delays nobody.
-- +goose StatementBegin
CREATE TABLE IF NOT EXISTS submissions (
  id          CHAR(36)     NOT NULL,
  competition VARCHAR(64)  NOT NULL,
  user_id     CHAR(36)     NOT NULL,
  session_id  VARCHAR(36)  NOT NULL,
  filename    TEXT         NOT NULL,
  size_bytes  BIGINT       NOT NULL,
  sha256      CHAR(64)     NOT NULL,
  message     TEXT         NOT NULL,
  created_at  BIGINT       NOT NULL,
  day         CHAR(10)     NOT NULL,
  status      VARCHAR(16)  NOT NULL,
  score_error TEXT         NOT NULL,
  counts      SMALLINT     NOT NULL,
  tries       INTEGER      NOT NULL,
  priority    SMALLINT     NOT NULL,
  queued_at   BIGINT       NOT NULL,
  not_before  BIGINT       NOT NULL,
  lease       VARCHAR(128) NOT NULL,
  lease_until BIGINT       NOT NULL,
  score_id    VARCHAR(36)  NOT NULL,
  PRIMARY KEY (id),
  CONSTRAINT submissions_of FOREIGN KEY (competition) REFERENCES competitions (slug)
) /*! ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin */;
-- +goose StatementEnd
CREATE INDEX IF NOT EXISTS submissions_newest ON submissions (competition, created_at, id);
CREATE INDEX IF NOT EXISTS submissions_user_newest ON submissions (user_id, competition, created_at, id);
CREATE INDEX IF NOT EXISTS submissions_queue ON submissions (status, priority, queued_at, id);
CREATE INDEX IF NOT EXISTS submissions_leases ON submissions (status, lease_until);
-- What a user spent of one UTC day: attempts, and submissions that count. A
-- place is taken by an UPDATE whose condition is the cap.
-- +goose StatementBegin
CREATE TABLE IF NOT EXISTS submission_days (
  user_id     CHAR(36)    NOT NULL,
  competition VARCHAR(64) NOT NULL,
  day         CHAR(10)    NOT NULL,
  attempts    INTEGER     NOT NULL,
  counted     INTEGER     NOT NULL,
  PRIMARY KEY (user_id, competition, day),
  CONSTRAINT submission_days_of FOREIGN KEY (competition) REFERENCES competitions (slug)
) /*! ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin */;
-- +goose StatementEnd
