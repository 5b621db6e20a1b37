-- +goose Up

-- What can be done about the failure that error_msg tells of: a code, and its argument if it
-- has one. Null in rows that failed under a release before this one.
ALTER TABLE image_generations ADD COLUMN error_advice text;
ALTER TABLE image_generations ADD COLUMN error_about text;
ALTER TABLE generation_attempt ADD COLUMN error_advice text;
ALTER TABLE generation_attempt ADD COLUMN error_about text;

-- +goose Down

ALTER TABLE generation_attempt DROP COLUMN error_about;
ALTER TABLE generation_attempt DROP COLUMN error_advice;
ALTER TABLE image_generations DROP COLUMN error_about;
ALTER TABLE image_generations DROP COLUMN error_advice;
