-- +goose Up

-- Which of a completed task's results is its answer, whose picture image_url shows. Null in
-- rows that were completed by a release before this one: there image_url tells.
ALTER TABLE image_generations ADD COLUMN answer_result_id integer;

-- +goose Down

ALTER TABLE image_generations DROP COLUMN answer_result_id;
