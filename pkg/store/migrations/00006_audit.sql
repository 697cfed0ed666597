-- +goose Up
-- seq counts the events of one run of the daemon, so (run, seq) names an event
-- and writing it again cannot double it.
-- +goose StatementBegin
CREATE TABLE IF NOT EXISTS audit_events (
  run        CHAR(36)    NOT NULL,
  seq        BIGINT      NOT NULL,
  at         BIGINT      NOT NULL,
  type       VARCHAR(64) NOT NULL,
  user_id    VARCHAR(36) NOT NULL,
  session_id VARCHAR(36) NOT NULL,
  slug       VARCHAR(32) NOT NULL,
  actor_id   VARCHAR(36) NOT NULL,
  public     SMALLINT    NOT NULL,
  data       MEDIUMTEXT  NOT NULL,
  PRIMARY KEY (run, seq)
) /*! ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin */;
-- +goose StatementEnd
CREATE INDEX IF NOT EXISTS audit_newest ON audit_events (at, run, seq);
CREATE INDEX IF NOT EXISTS audit_user ON audit_events (user_id, at, run, seq);
CREATE INDEX IF NOT EXISTS audit_session ON audit_events (session_id, at, run, seq);
