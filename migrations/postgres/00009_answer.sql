-- +goose Up

-- Which of a completed task's results is its answer, whose picture image_url shows. Null in
-- rows that were completed by a release before this one: there image_url tells.
ALTER TABLE image_generations ADD COLUMN IF NOT EXISTS answer_result_id bigint;

-- +goose Down

ALTER TABLE image_generations DROP COLUMN IF EXISTS answer_result_id;
