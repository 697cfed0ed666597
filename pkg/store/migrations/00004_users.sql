-- +goose Up
-- An account without an email address or without a Unix name holds NULL there:
-- both engines take any number of NULLs in a unique index.
-- +goose StatementBegin
CREATE TABLE IF NOT EXISTS users (
  id            CHAR(36)     NOT NULL,
  email         VARCHAR(320) NULL,
  unix_name     VARCHAR(64)  NULL,
  name          VARCHAR(255) NOT NULL,
  role          VARCHAR(16)  NOT NULL,
  disabled      SMALLINT     NOT NULL,
  session_limit INTEGER      NOT NULL,
  password_hash VARCHAR(512) NOT NULL,
  created_at    BIGINT       NOT NULL,
  PRIMARY KEY (id),
  CONSTRAINT users_email UNIQUE (email),
  CONSTRAINT users_unix_name UNIQUE (unix_name)
) /*! ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin */;
-- +goose StatementEnd
CREATE INDEX IF NOT EXISTS users_oldest ON users (created_at, id);
