-- +goose Up

-- SQLite cannot change a constraint. Its own documentation gives this way to loosen one without
-- making the table anew: the text of the schema is changed, and every connection reads it again,
-- because the indexes below change the schema too. Rows stay where they are.
PRAGMA writable_schema = ON;

-- An app that calls its service by itself adds results of its own, which belong to no call of ours.
UPDATE sqlite_master SET sql = replace(replace(replace(sql,
        'attempt_id          integer NOT NULL REFERENCES', 'attempt_id          integer REFERENCES'),
        'position            integer NOT NULL,', 'position            integer NOT NULL DEFAULT 0,'),
        'UNIQUE (task_id, attempt_id, position)', 'UNIQUE (task_id, attempt_id, position),
    CONSTRAINT generation_result_readable CHECK (
        typeof(position) = ''integer'' AND typeof(file_size) IN (''integer'', ''null'') AND typeof(width) IN (''integer'', ''null'')
        AND typeof(height) IN (''integer'', ''null'') AND typeof(seed) IN (''integer'', ''null'') AND typeof(generated_image_id) IN (''integer'', ''null'')
        AND (created_at IS NULL OR (created_at GLOB ''[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]*'' AND datetime(created_at) IS NOT NULL)))')
    WHERE type = 'table' AND name = 'generation_result';

-- Times come in any form of ISO 8601, and are brought below into the form whose order as text is
-- their order in time.
UPDATE sqlite_master SET sql = replace(replace(sql,
        '[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-5][0-9]*', '[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]*'),
        'AND (updated_at IS NULL OR (', 'AND (started_at IS NULL OR (started_at GLOB ''[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]*'' AND datetime(started_at) IS NOT NULL))
        AND (completed_at IS NULL OR (completed_at GLOB ''[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]*'' AND datetime(completed_at) IS NOT NULL))
        AND (deleted_at IS NULL OR (deleted_at GLOB ''[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]*'' AND datetime(deleted_at) IS NOT NULL))
        AND (updated_at IS NULL OR (')
    WHERE type = 'table' AND name = 'image_generations';
PRAGMA writable_schema = RESET;

-- What apps ask: the newest of a status (its entries are in the order of id), of a time, of a model;
-- what ended in a time; results since.
CREATE INDEX image_generations_status ON image_generations (status);
CREATE INDEX image_generations_created ON image_generations (created_at);
CREATE INDEX image_generations_completed ON image_generations (completed_at) WHERE completed_at IS NOT NULL;
CREATE INDEX image_generations_model ON image_generations (model, created_at) WHERE model IS NOT NULL;
CREATE INDEX generation_result_created ON generation_result (created_at);

-- +goose StatementBegin
CREATE TRIGGER image_generations_times_insert AFTER INSERT ON image_generations
    WHEN NEW.run_at NOT GLOB '????-??-?? ??:??:??*' OR NEW.run_at GLOB '*[Zz]' OR NEW.run_at GLOB '*[+-]??:??' AND NEW.run_at NOT GLOB '*+00:00'
        OR NEW.deadline_at NOT GLOB '????-??-?? ??:??:??*' OR NEW.deadline_at GLOB '*[Zz]' OR NEW.deadline_at GLOB '*[+-]??:??' AND NEW.deadline_at NOT GLOB '*+00:00'
        OR NEW.created_at NOT GLOB '????-??-?? ??:??:??*' OR NEW.created_at GLOB '*[Zz]' OR NEW.created_at GLOB '*[+-]??:??' AND NEW.created_at NOT GLOB '*+00:00'
        OR NEW.updated_at NOT GLOB '????-??-?? ??:??:??*' OR NEW.updated_at GLOB '*[Zz]' OR NEW.updated_at GLOB '*[+-]??:??' AND NEW.updated_at NOT GLOB '*+00:00'
        OR NEW.started_at NOT GLOB '????-??-?? ??:??:??*' OR NEW.started_at GLOB '*[Zz]' OR NEW.started_at GLOB '*[+-]??:??' AND NEW.started_at NOT GLOB '*+00:00'
        OR NEW.completed_at NOT GLOB '????-??-?? ??:??:??*' OR NEW.completed_at GLOB '*[Zz]' OR NEW.completed_at GLOB '*[+-]??:??' AND NEW.completed_at NOT GLOB '*+00:00'
        OR NEW.deleted_at NOT GLOB '????-??-?? ??:??:??*' OR NEW.deleted_at GLOB '*[Zz]' OR NEW.deleted_at GLOB '*[+-]??:??' AND NEW.deleted_at NOT GLOB '*+00:00'
BEGIN
    UPDATE image_generations SET run_at = run_at, deadline_at = deadline_at, created_at = created_at, updated_at = updated_at, started_at = started_at, completed_at = completed_at, deleted_at = deleted_at WHERE id = NEW.id; -- for the trigger below
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER image_generations_times AFTER UPDATE OF run_at, deadline_at, created_at, updated_at, started_at, completed_at, deleted_at ON image_generations
    WHEN NEW.run_at NOT GLOB '????-??-?? ??:??:??*' OR NEW.run_at GLOB '*[Zz]' OR NEW.run_at GLOB '*[+-]??:??' AND NEW.run_at NOT GLOB '*+00:00'
        OR NEW.deadline_at NOT GLOB '????-??-?? ??:??:??*' OR NEW.deadline_at GLOB '*[Zz]' OR NEW.deadline_at GLOB '*[+-]??:??' AND NEW.deadline_at NOT GLOB '*+00:00'
        OR NEW.created_at NOT GLOB '????-??-?? ??:??:??*' OR NEW.created_at GLOB '*[Zz]' OR NEW.created_at GLOB '*[+-]??:??' AND NEW.created_at NOT GLOB '*+00:00'
        OR NEW.updated_at NOT GLOB '????-??-?? ??:??:??*' OR NEW.updated_at GLOB '*[Zz]' OR NEW.updated_at GLOB '*[+-]??:??' AND NEW.updated_at NOT GLOB '*+00:00'
        OR NEW.started_at NOT GLOB '????-??-?? ??:??:??*' OR NEW.started_at GLOB '*[Zz]' OR NEW.started_at GLOB '*[+-]??:??' AND NEW.started_at NOT GLOB '*+00:00'
        OR NEW.completed_at NOT GLOB '????-??-?? ??:??:??*' OR NEW.completed_at GLOB '*[Zz]' OR NEW.completed_at GLOB '*[+-]??:??' AND NEW.completed_at NOT GLOB '*+00:00'
        OR NEW.deleted_at NOT GLOB '????-??-?? ??:??:??*' OR NEW.deleted_at GLOB '*[Zz]' OR NEW.deleted_at GLOB '*[+-]??:??' AND NEW.deleted_at NOT GLOB '*+00:00'
BEGIN
    UPDATE image_generations SET
        run_at = (SELECT strftime('%Y-%m-%d %H:%M:%S', substr(x, 1, min(19, n)) || substr(x, n + 1)) || trim(substr(x, 20, max(0, n - 19))) || '+00:00'
            FROM (SELECT NEW.run_at AS x, length(NEW.run_at) - CASE WHEN NEW.run_at GLOB '*[Zz]' THEN 1 WHEN NEW.run_at GLOB '*[+-]??:??' THEN 6 ELSE 0 END AS n)),
        deadline_at = (SELECT strftime('%Y-%m-%d %H:%M:%S', substr(x, 1, min(19, n)) || substr(x, n + 1)) || trim(substr(x, 20, max(0, n - 19))) || '+00:00'
            FROM (SELECT NEW.deadline_at AS x, length(NEW.deadline_at) - CASE WHEN NEW.deadline_at GLOB '*[Zz]' THEN 1 WHEN NEW.deadline_at GLOB '*[+-]??:??' THEN 6 ELSE 0 END AS n)),
        created_at = (SELECT strftime('%Y-%m-%d %H:%M:%S', substr(x, 1, min(19, n)) || substr(x, n + 1)) || trim(substr(x, 20, max(0, n - 19))) || '+00:00'
            FROM (SELECT NEW.created_at AS x, length(NEW.created_at) - CASE WHEN NEW.created_at GLOB '*[Zz]' THEN 1 WHEN NEW.created_at GLOB '*[+-]??:??' THEN 6 ELSE 0 END AS n)),
        updated_at = (SELECT strftime('%Y-%m-%d %H:%M:%S', substr(x, 1, min(19, n)) || substr(x, n + 1)) || trim(substr(x, 20, max(0, n - 19))) || '+00:00'
            FROM (SELECT NEW.updated_at AS x, length(NEW.updated_at) - CASE WHEN NEW.updated_at GLOB '*[Zz]' THEN 1 WHEN NEW.updated_at GLOB '*[+-]??:??' THEN 6 ELSE 0 END AS n)),
        started_at = (SELECT strftime('%Y-%m-%d %H:%M:%S', substr(x, 1, min(19, n)) || substr(x, n + 1)) || trim(substr(x, 20, max(0, n - 19))) || '+00:00'
            FROM (SELECT NEW.started_at AS x, length(NEW.started_at) - CASE WHEN NEW.started_at GLOB '*[Zz]' THEN 1 WHEN NEW.started_at GLOB '*[+-]??:??' THEN 6 ELSE 0 END AS n)),
        completed_at = (SELECT strftime('%Y-%m-%d %H:%M:%S', substr(x, 1, min(19, n)) || substr(x, n + 1)) || trim(substr(x, 20, max(0, n - 19))) || '+00:00'
            FROM (SELECT NEW.completed_at AS x, length(NEW.completed_at) - CASE WHEN NEW.completed_at GLOB '*[Zz]' THEN 1 WHEN NEW.completed_at GLOB '*[+-]??:??' THEN 6 ELSE 0 END AS n)),
        deleted_at = (SELECT strftime('%Y-%m-%d %H:%M:%S', substr(x, 1, min(19, n)) || substr(x, n + 1)) || trim(substr(x, 20, max(0, n - 19))) || '+00:00'
            FROM (SELECT NEW.deleted_at AS x, length(NEW.deleted_at) - CASE WHEN NEW.deleted_at GLOB '*[Zz]' THEN 1 WHEN NEW.deleted_at GLOB '*[+-]??:??' THEN 6 ELSE 0 END AS n))
    WHERE id = NEW.id;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER generation_result_times_insert AFTER INSERT ON generation_result
    WHEN NEW.created_at NOT GLOB '????-??-?? ??:??:??*' OR NEW.created_at GLOB '*[Zz]' OR NEW.created_at GLOB '*[+-]??:??' AND NEW.created_at NOT GLOB '*+00:00'
BEGIN
    UPDATE generation_result SET created_at = created_at WHERE id = NEW.id; -- for the trigger below
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER generation_result_times AFTER UPDATE OF created_at ON generation_result
    WHEN NEW.created_at NOT GLOB '????-??-?? ??:??:??*' OR NEW.created_at GLOB '*[Zz]' OR NEW.created_at GLOB '*[+-]??:??' AND NEW.created_at NOT GLOB '*+00:00'
BEGIN
    UPDATE generation_result SET
        created_at = (SELECT strftime('%Y-%m-%d %H:%M:%S', substr(x, 1, min(19, n)) || substr(x, n + 1)) || trim(substr(x, 20, max(0, n - 19))) || '+00:00'
            FROM (SELECT NEW.created_at AS x, length(NEW.created_at) - CASE WHEN NEW.created_at GLOB '*[Zz]' THEN 1 WHEN NEW.created_at GLOB '*[+-]??:??' THEN 6 ELSE 0 END AS n))
    WHERE id = NEW.id;
END;
-- +goose StatementEnd

-- +goose Down

CREATE TEMP TABLE easel_check (n integer CONSTRAINT "generation_result has results that an app has added by itself; delete them first" CHECK (n = 0));
INSERT INTO easel_check SELECT count(*) FROM generation_result WHERE attempt_id IS NULL;
DROP TABLE temp.easel_check;
DROP TRIGGER generation_result_times;
DROP TRIGGER generation_result_times_insert;
DROP TRIGGER image_generations_times;
DROP TRIGGER image_generations_times_insert;
DROP INDEX generation_result_created;
DROP INDEX image_generations_model;
DROP INDEX image_generations_completed;
DROP INDEX image_generations_created;
DROP INDEX image_generations_status;
PRAGMA writable_schema = ON;
UPDATE sqlite_master SET sql = replace(replace(replace(sql,
        'UNIQUE (task_id, attempt_id, position),
    CONSTRAINT generation_result_readable CHECK (
        typeof(position) = ''integer'' AND typeof(file_size) IN (''integer'', ''null'') AND typeof(width) IN (''integer'', ''null'')
        AND typeof(height) IN (''integer'', ''null'') AND typeof(seed) IN (''integer'', ''null'') AND typeof(generated_image_id) IN (''integer'', ''null'')
        AND (created_at IS NULL OR (created_at GLOB ''[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]*'' AND datetime(created_at) IS NOT NULL)))',
        'UNIQUE (task_id, attempt_id, position)'),
        'attempt_id          integer REFERENCES', 'attempt_id          integer NOT NULL REFERENCES'),
        'position            integer NOT NULL DEFAULT 0,', 'position            integer NOT NULL,')
    WHERE type = 'table' AND name = 'generation_result';
UPDATE sqlite_master SET sql = replace(replace(sql,
        'AND (started_at IS NULL OR (started_at GLOB ''[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]*'' AND datetime(started_at) IS NOT NULL))
        AND (completed_at IS NULL OR (completed_at GLOB ''[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]*'' AND datetime(completed_at) IS NOT NULL))
        AND (deleted_at IS NULL OR (deleted_at GLOB ''[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]*'' AND datetime(deleted_at) IS NOT NULL))
        AND (updated_at IS NULL OR (', 'AND (updated_at IS NULL OR ('),
        '[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]*', '[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-5][0-9]*')
    WHERE type = 'table' AND name = 'image_generations';
PRAGMA writable_schema = RESET;
