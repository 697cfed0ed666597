-- +goose Up
-- What is exclusive is a primary key: taking it is an INSERT, and of two
-- callers only one's can succeed. The unique session_id says the other half:
-- a session has one of each.
-- +goose StatementBegin
CREATE TABLE IF NOT EXISTS gpu_claims (
  gpu_uuid   VARCHAR(128) NOT NULL,
  session_id CHAR(36)     NOT NULL,
  claimed_at BIGINT       NOT NULL,
  PRIMARY KEY (gpu_uuid),
  CONSTRAINT gpu_claims_session UNIQUE (session_id)
) /*! ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin */;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TABLE IF NOT EXISTS host_slots (
  slot       INTEGER  NOT NULL,
  session_id CHAR(36) NOT NULL,
  claimed_at BIGINT   NOT NULL,
  PRIMARY KEY (slot),
  CONSTRAINT host_slots_session UNIQUE (session_id)
) /*! ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin */;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TABLE IF NOT EXISTS user_slots (
  user_id    CHAR(36) NOT NULL,
  slot       INTEGER  NOT NULL,
  session_id CHAR(36) NOT NULL,
  claimed_at BIGINT   NOT NULL,
  PRIMARY KEY (user_id, slot),
  CONSTRAINT user_slots_session UNIQUE (session_id)
) /*! ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin */;
-- +goose StatementEnd
