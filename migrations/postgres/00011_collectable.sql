-- +goose NO TRANSACTION
-- +goose Up

-- Workers look every few seconds for calls that were paid for and whose task is over.
DROP INDEX CONCURRENTLY IF EXISTS generation_attempt_collectable;
CREATE INDEX CONCURRENTLY generation_attempt_collectable ON generation_attempt (worker, id)
    WHERE state IN ('accepted', 'answered') AND finished_at IS NULL;

-- +goose Down

DROP INDEX CONCURRENTLY IF EXISTS generation_attempt_collectable;
