-- +goose Up
-- Only hashes (SHA-256 in hex) are kept of what lets somebody in.
-- +goose StatementBegin
CREATE TABLE IF NOT EXISTS credentials (
  id         CHAR(36)     NOT NULL,
  hash       CHAR(64)     NOT NULL,
  kind       VARCHAR(16)  NOT NULL,
  user_id    CHAR(36)     NOT NULL,
  session_id VARCHAR(36)  NOT NULL,
  parent_id  VARCHAR(36)  NOT NULL,
  label      VARCHAR(512) NOT NULL,
  created_at BIGINT       NOT NULL,
  last_used  BIGINT       NOT NULL,
  expires_at BIGINT       NOT NULL,
  PRIMARY KEY (id),
  CONSTRAINT credentials_hash UNIQUE (hash),
  CONSTRAINT credentials_of FOREIGN KEY (user_id) REFERENCES users (id)
) /*! ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin */;
-- +goose StatementEnd
CREATE INDEX IF NOT EXISTS credentials_user ON credentials (user_id, created_at, id);
CREATE INDEX IF NOT EXISTS credentials_parent ON credentials (parent_id);
CREATE INDEX IF NOT EXISTS credentials_expiry ON credentials (expires_at);
