-- +goose Up

CREATE TABLE image_generations (
    id                  integer PRIMARY KEY AUTOINCREMENT,

    provider            text NOT NULL,
    model               text,
    prompt              text NOT NULL,
    negative_prompt     text,
    size                text,
    quality             text,
    style               text,
    steps               integer,
    cfg_scale           real,
    seed                integer,
    watermark           boolean,
    image_count         integer DEFAULT 1,
    input_image_url     text,
    input_image_id      integer,
    reference_images    text,

    user_id             integer,
    drama_id            integer,
    storyboard_id       integer,
    subject_type        text,
    subject_id          text,
    metadata            text,

    priority            integer NOT NULL DEFAULT 0,
    run_at              timestamp NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f+00:00', 'now')),
    deadline_at         timestamp,
    max_attempts        integer NOT NULL DEFAULT 5,
    idempotency_key     text,
    request_hash        text,
    webhook_url         text,

    status              text NOT NULL DEFAULT 'pending'
                        CHECK (status IN ('pending', 'processing', 'completed', 'failed', 'cancelled')),
    attempt             integer NOT NULL DEFAULT 0,
    waits               integer NOT NULL DEFAULT 0,
    crashes             integer NOT NULL DEFAULT 0,
    delivery            integer NOT NULL DEFAULT 0,
    fence               integer NOT NULL DEFAULT 0,
    lease_until         timestamp,
    worker              text,
    published_at        timestamp,
    cancel_requested_at timestamp,
    progress            integer NOT NULL DEFAULT 0,
    task_id             text,
    error_msg           text,
    error_kind          text,
    error_code          text,
    started_at          timestamp,
    completed_at        timestamp,
    created_at          timestamp NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f+00:00', 'now')),
    updated_at          timestamp NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f+00:00', 'now')),
    deleted_at          timestamp,

    image_url           text,
    minio_url           text,
    local_path          text,
    width               integer,
    height              integer,
    api_response        text,
    cost_micros         integer,
    currency            text,

    -- What no program could read back: SQLite keeps any value in any column, and
    -- compares times as text. Everything else that makes no sense is taken, and
    -- the task ends failed with the reason.
    CONSTRAINT image_generations_readable CHECK (
        typeof(steps) IN ('integer', 'null') AND typeof(seed) IN ('integer', 'null')
        AND typeof(watermark) IN ('integer', 'null') AND typeof(image_count) IN ('integer', 'null')
        AND typeof(input_image_id) IN ('integer', 'null') AND typeof(user_id) IN ('integer', 'null')
        AND typeof(drama_id) IN ('integer', 'null') AND typeof(storyboard_id) IN ('integer', 'null')
        AND typeof(priority) IN ('integer', 'null') AND typeof(max_attempts) IN ('integer', 'null')
        AND typeof(attempt) IN ('integer', 'null') AND typeof(waits) IN ('integer', 'null')
        AND typeof(crashes) IN ('integer', 'null') AND typeof(delivery) IN ('integer', 'null')
        AND typeof(fence) IN ('integer', 'null') AND typeof(progress) IN ('integer', 'null')
        AND typeof(cfg_scale) IN ('integer', 'real', 'null') AND (cfg_scale IS NULL OR cfg_scale BETWEEN -1e300 AND 1e300)
        AND (run_at IS NULL OR (run_at GLOB '[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-5][0-9]*' AND datetime(run_at) IS NOT NULL))
        AND (deadline_at IS NULL OR (deadline_at GLOB '[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-5][0-9]*' AND datetime(deadline_at) IS NOT NULL))
        AND (created_at IS NULL OR (created_at GLOB '[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-5][0-9]*' AND datetime(created_at) IS NOT NULL))
        AND (updated_at IS NULL OR (updated_at GLOB '[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-5][0-9]*' AND datetime(updated_at) IS NOT NULL)))
);

-- The row is its own outbox: this is what the relay reads.
CREATE INDEX image_generations_unrung ON image_generations (priority DESC, id)
    WHERE published_at IS NULL AND status = 'pending';
CREATE INDEX image_generations_waiting ON image_generations (id) WHERE published_at IS NOT NULL AND status = 'pending';
CREATE INDEX image_generations_held ON image_generations (worker) WHERE status = 'processing';
CREATE INDEX image_generations_stopped ON image_generations (worker) WHERE status = 'cancelled' AND worker IS NOT NULL;
CREATE INDEX image_generations_parked ON image_generations (id) WHERE status = 'failed';
CREATE INDEX image_generations_user ON image_generations (user_id);
CREATE INDEX image_generations_drama ON image_generations (drama_id);
CREATE INDEX image_generations_storyboard ON image_generations (storyboard_id);
CREATE UNIQUE INDEX image_generations_idempotency ON image_generations (coalesce(user_id, 0), idempotency_key)
    WHERE idempotency_key IS NOT NULL;

CREATE TABLE generation_parameter (
    id              integer PRIMARY KEY AUTOINCREMENT,
    task_id         integer NOT NULL REFERENCES image_generations (id) ON DELETE CASCADE,
    parameter_name  text NOT NULL,
    parameter_value text,
    created_at      timestamp NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f+00:00', 'now')),
    UNIQUE (task_id, parameter_name)
);

CREATE TABLE generation_attempt (
    id                  integer PRIMARY KEY AUTOINCREMENT,
    task_id             integer NOT NULL REFERENCES image_generations (id) ON DELETE CASCADE,
    delivery            integer NOT NULL,
    number              integer NOT NULL,
    attempt_key         text NOT NULL UNIQUE,
    provider            text NOT NULL,
    account             text,
    endpoint            text,
    request_hash        text,
    state               text NOT NULL
                        CHECK (state IN ('sending', 'rejected', 'accepted', 'answered', 'succeeded', 'failed', 'unknown')),
    handle              text,
    answer              text,
    provider_request_id text,
    http_status         integer,
    error_kind          text,
    error_code          text,
    error_msg           text,
    cost_micros         integer,
    currency            text,
    price_version       text,
    worker              text,
    fence               integer NOT NULL,
    sent_at             timestamp NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f+00:00', 'now')),
    answered_at         timestamp,
    finished_at         timestamp,
    UNIQUE (task_id, number)
);

CREATE TABLE generation_result (
    id                  integer PRIMARY KEY AUTOINCREMENT,
    task_id             integer NOT NULL REFERENCES image_generations (id) ON DELETE CASCADE,
    attempt_id          integer NOT NULL REFERENCES generation_attempt (id) ON DELETE CASCADE,
    position            integer NOT NULL,
    generated_image_id  integer,
    generated_image_url text NOT NULL,
    source_url          text,
    model               text,
    content_type        text,
    file_size           integer,
    width               integer,
    height              integer,
    sha256              text,
    storage_key         text,
    thumbnail_key       text,
    seed                integer,
    revised_prompt      text,
    created_at          timestamp NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f+00:00', 'now')),
    UNIQUE (task_id, attempt_id, position)
);
-- Without it deleting an attempt reads the whole table.
CREATE INDEX generation_result_attempt ON generation_result (attempt_id);

-- One row per worker process: its heartbeat is the lease of every task it holds.
CREATE TABLE easel_worker (
    id          text PRIMARY KEY,
    host        text NOT NULL,
    pid         integer NOT NULL,
    version     text NOT NULL,
    providers   text NOT NULL,
    started_at  timestamp NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f+00:00', 'now')),
    seen_at     timestamp NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f+00:00', 'now')),
    lease_until timestamp NOT NULL
);

-- The picture library belongs to the app if it has one already, and its keys may
-- then be of any kind: no foreign keys.
CREATE TABLE IF NOT EXISTS photo (
    id         integer PRIMARY KEY AUTOINCREMENT,
    user_id    integer,
    title      text,
    image_url  text NOT NULL,
    width      integer,
    height     integer,
    created_at timestamp NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f+00:00', 'now'))
);
CREATE TABLE IF NOT EXISTS tag (
    id   integer PRIMARY KEY AUTOINCREMENT,
    name text NOT NULL UNIQUE
);
CREATE TABLE IF NOT EXISTS photo_tag (
    photo_id integer NOT NULL,
    tag_id   integer NOT NULL,
    PRIMARY KEY (photo_id, tag_id)
);

-- +goose Down

DROP TABLE easel_worker;
DROP TABLE generation_result;
DROP TABLE generation_attempt;
DROP TABLE generation_parameter;
DROP TABLE image_generations;
-- photo, tag and photo_tag stay: they may be the app's own.
