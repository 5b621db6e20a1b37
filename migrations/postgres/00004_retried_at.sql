-- +goose Up

-- When a person last brought the task back: calls from before that count anew.
ALTER TABLE image_generations ADD COLUMN retried_at timestamptz;

-- +goose Down

ALTER TABLE image_generations DROP COLUMN retried_at;
