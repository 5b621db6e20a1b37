-- +goose Up

-- Workers look every few seconds for calls that were paid for and whose task is over.
CREATE INDEX generation_attempt_collectable ON generation_attempt (worker, id)
    WHERE state IN ('accepted', 'answered') AND finished_at IS NULL;

-- +goose Down

DROP INDEX generation_attempt_collectable;
