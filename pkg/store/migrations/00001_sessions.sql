-- +goose Up
-- One schema for both engines: what stands in /*! */ is read by MariaDB only.
-- Times are microseconds since 1970 in UTC, 0 for none; text compares byte by
-- byte, trailing spaces included, as SQLite does.
-- +goose StatementBegin
CREATE TABLE IF NOT EXISTS sessions (
  id            CHAR(36)     NOT NULL,
  user_id       CHAR(36)     NOT NULL,
  slug          VARCHAR(32)  NOT NULL,
  tier          VARCHAR(16)  NOT NULL,
  status        VARCHAR(16)  NOT NULL,
  pack_id       VARCHAR(128) NOT NULL,
  pack_digest   VARCHAR(128) NOT NULL,
  gpu_index     INTEGER      NOT NULL,
  gpu_uuid      VARCHAR(128) NOT NULL,
  container_id  VARCHAR(128) NOT NULL,
  workspace     VARCHAR(255) NOT NULL,
  from_snapshot VARCHAR(255) NOT NULL,
  created_at    BIGINT       NOT NULL,
  started_at    BIGINT       NOT NULL,
  stopped_at    BIGINT       NOT NULL,
  stop_reason   VARCHAR(32)  NOT NULL,
  error_message TEXT         NOT NULL,
  snapshot_name VARCHAR(255) NOT NULL,
  PRIMARY KEY (id),
  CONSTRAINT sessions_slug UNIQUE (slug)
) /*! ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin */;
-- +goose StatementEnd
CREATE INDEX IF NOT EXISTS sessions_newest ON sessions (created_at, id);
CREATE INDEX IF NOT EXISTS sessions_user_newest ON sessions (user_id, created_at, id);
CREATE INDEX IF NOT EXISTS sessions_status ON sessions (status, created_at, id);
