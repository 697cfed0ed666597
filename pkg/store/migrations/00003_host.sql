-- +goose Up
-- What people and the daemon decided about the host.
-- +goose StatementBegin
CREATE TABLE IF NOT EXISTS gpu_states (
  gpu_uuid   VARCHAR(128) NOT NULL,
  disabled   SMALLINT     NOT NULL,
  reason     TEXT         NOT NULL,
  changed_at BIGINT       NOT NULL,
  PRIMARY KEY (gpu_uuid)
) /*! ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin */;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TABLE IF NOT EXISTS settings (
  name  VARCHAR(128) NOT NULL,
  value MEDIUMTEXT   NOT NULL,
  PRIMARY KEY (name)
) /*! ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin */;
-- +goose StatementEnd
