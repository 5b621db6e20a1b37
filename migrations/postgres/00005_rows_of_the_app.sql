-- +goose NO TRANSACTION
-- +goose Up

-- An app that calls its service by itself adds results of its own, which belong to no call of ours.
ALTER TABLE generation_result ALTER COLUMN attempt_id DROP NOT NULL;
ALTER TABLE generation_result ALTER COLUMN position SET DEFAULT 0;

-- What apps ask: the newest of a status, of a time, of a model; what ended in a time; results since.
-- A change of the status writes a new entry into every index that has the row, and a task changes
-- three times. So the end, which most look for, is written once, and rows without a model have none.
-- One that a former run left unfinished is made anew.
DROP INDEX CONCURRENTLY IF EXISTS image_generations_status;
CREATE INDEX CONCURRENTLY image_generations_status ON image_generations (status, id);
DROP INDEX CONCURRENTLY IF EXISTS image_generations_created;
CREATE INDEX CONCURRENTLY image_generations_created ON image_generations (created_at);
DROP INDEX CONCURRENTLY IF EXISTS image_generations_completed;
CREATE INDEX CONCURRENTLY image_generations_completed ON image_generations (completed_at) WHERE completed_at IS NOT NULL;
DROP INDEX CONCURRENTLY IF EXISTS image_generations_model;
CREATE INDEX CONCURRENTLY image_generations_model ON image_generations (model, created_at) WHERE model IS NOT NULL;
DROP INDEX CONCURRENTLY IF EXISTS generation_result_created;
CREATE INDEX CONCURRENTLY generation_result_created ON generation_result (created_at);

-- +goose Down

-- +goose StatementBegin
DO $$ BEGIN
    IF EXISTS (SELECT FROM generation_result WHERE attempt_id IS NULL) THEN
        RAISE EXCEPTION 'generation_result has results that an app has added by itself; before this change there was no room for them. Delete them first';
    END IF;
END $$;
-- +goose StatementEnd
DROP INDEX CONCURRENTLY IF EXISTS generation_result_created;
DROP INDEX CONCURRENTLY IF EXISTS image_generations_model;
DROP INDEX CONCURRENTLY IF EXISTS image_generations_completed;
DROP INDEX CONCURRENTLY IF EXISTS image_generations_created;
DROP INDEX CONCURRENTLY IF EXISTS image_generations_status;
ALTER TABLE generation_result ALTER COLUMN position DROP DEFAULT;
ALTER TABLE generation_result ALTER COLUMN attempt_id SET NOT NULL;
