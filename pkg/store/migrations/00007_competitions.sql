-- +goose Up
-- A competition's row is its bundle as it was last added; every revision stays
-- in competition_revisions. A board is one split's: it fixes by which metric
-- and in which direction the split's scores are ordered.
-- +goose StatementBegin
CREATE TABLE IF NOT EXISTS competitions (
  slug              VARCHAR(64)  NOT NULL,
  title             VARCHAR(255) NOT NULL,
  description       MEDIUMTEXT   NOT NULL,
  state             VARCHAR(16)  NOT NULL,
  tier              VARCHAR(32)  NOT NULL,
  metric            VARCHAR(64)  NOT NULL,
  metric_version    VARCHAR(64)  NOT NULL,
  higher_is_better  SMALLINT     NOT NULL,
  split_version     VARCHAR(64)  NOT NULL,
  spec_version      VARCHAR(64)  NOT NULL,
  scoring_mode      VARCHAR(64)  NOT NULL,
  leaderboard_rule  VARCHAR(64)  NOT NULL,
  evaluation_policy VARCHAR(64)  NOT NULL,
  permanent         SMALLINT     NOT NULL,
  daily_cap         INTEGER      NOT NULL,
  attempt_cap       INTEGER      NOT NULL,
  dataset_slug      VARCHAR(128) NOT NULL,
  manifest_sha256   CHAR(64)     NOT NULL,
  holdout_sha256    CHAR(64)     NOT NULL,
  spec              MEDIUMTEXT   NOT NULL,
  revision          INTEGER      NOT NULL,
  created_at        BIGINT       NOT NULL,
  updated_at        BIGINT       NOT NULL,
  PRIMARY KEY (slug)
) /*! ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin */;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TABLE IF NOT EXISTS competition_revisions (
  competition     VARCHAR(64) NOT NULL,
  revision        INTEGER     NOT NULL,
  manifest_sha256 CHAR(64)    NOT NULL,
  holdout_sha256  CHAR(64)    NOT NULL,
  split_version   VARCHAR(64) NOT NULL,
  metric_version  VARCHAR(64) NOT NULL,
  spec            MEDIUMTEXT  NOT NULL,
  added_at        BIGINT      NOT NULL,
  PRIMARY KEY (competition, revision),
  CONSTRAINT competition_revisions_of FOREIGN KEY (competition) REFERENCES competitions (slug)
) /*! ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin */;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TABLE IF NOT EXISTS boards (
  competition      VARCHAR(64) NOT NULL,
  split_version    VARCHAR(64) NOT NULL,
  metric           VARCHAR(64) NOT NULL,
  higher_is_better SMALLINT    NOT NULL,
  PRIMARY KEY (competition, split_version),
  CONSTRAINT boards_of FOREIGN KEY (competition) REFERENCES competitions (slug)
) /*! ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin */;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TABLE IF NOT EXISTS datasets (
  slug        VARCHAR(128) NOT NULL,
  title       VARCHAR(255) NOT NULL,
  source      TEXT         NOT NULL,
  license     TEXT         NOT NULL,
  bytes       BIGINT       NOT NULL,
  checksum    VARCHAR(128) NOT NULL,
  imported_at BIGINT       NOT NULL,
  PRIMARY KEY (slug)
) /*! ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin */;
-- +goose StatementEnd
