-- +goose Up

-- What can be done about the failure that error_msg tells of: a code, and its argument if it
-- has one. Null in rows that failed under a release before this one.
ALTER TABLE image_generations ADD COLUMN IF NOT EXISTS error_advice text, ADD COLUMN IF NOT EXISTS error_about text;
ALTER TABLE generation_attempt ADD COLUMN IF NOT EXISTS error_advice text, ADD COLUMN IF NOT EXISTS error_about text;

-- +goose Down

ALTER TABLE generation_attempt DROP COLUMN IF EXISTS error_advice, DROP COLUMN IF EXISTS error_about;
ALTER TABLE image_generations DROP COLUMN IF EXISTS error_advice, DROP COLUMN IF EXISTS error_about;
