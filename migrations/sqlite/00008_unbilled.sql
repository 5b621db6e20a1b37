-- +goose Up

-- A call that the service failed by its own fault and does not bill.
ALTER TABLE generation_attempt ADD COLUMN unbilled boolean NOT NULL DEFAULT false;

-- +goose Down

ALTER TABLE generation_attempt DROP COLUMN unbilled;
