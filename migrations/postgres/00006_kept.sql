-- +goose Up

-- JSON: bytes of a call's answer that no decoder takes, and where they lie as they came.
ALTER TABLE generation_attempt ADD COLUMN kept text;

-- +goose Down

ALTER TABLE generation_attempt DROP COLUMN kept;
