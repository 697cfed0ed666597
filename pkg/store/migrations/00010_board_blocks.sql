-- +goose Up
-- A board cut into blocks of a few hundred neighbours: n entries have a
-- rank_key from low up to the next block's. A rank is the sum of the blocks
-- before plus a count within one, instead of a count from the top (blocks.go).
-- +goose StatementBegin
CREATE TABLE IF NOT EXISTS board_blocks (
  competition   VARCHAR(64) NOT NULL,
  split_version VARCHAR(64) NOT NULL,
  low           CHAR(64)    NOT NULL,
  n             INTEGER     NOT NULL,
  PRIMARY KEY (competition, split_version, low),
  CONSTRAINT board_blocks_of FOREIGN KEY (competition) REFERENCES competitions (slug)
) /*! ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin */;
-- +goose StatementEnd
