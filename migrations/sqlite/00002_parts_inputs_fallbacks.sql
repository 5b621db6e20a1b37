-- +goose Up

-- How many pictures a call asked for; null is all of its task.
ALTER TABLE generation_attempt ADD COLUMN images integer;

-- Who draws if the provider certainly did not: a JSON array of "provider" or "provider:model".
ALTER TABLE image_generations ADD COLUMN fallbacks text;
-- Whether input pictures may be scaled down to what the provider takes.
ALTER TABLE image_generations ADD COLUMN fit_inputs boolean CHECK (typeof(fit_inputs) IN ('integer', 'null'));

-- Our copies of input pictures, whose own addresses expire.
CREATE TABLE generation_input (
    id           integer PRIMARY KEY AUTOINCREMENT,
    task_id      integer NOT NULL REFERENCES image_generations (id) ON DELETE CASCADE,
    position     integer NOT NULL,
    source_hash  text NOT NULL,
    storage_key  text NOT NULL,
    content_type text NOT NULL,
    file_size    integer NOT NULL,
    sha256       text NOT NULL,
    created_at   timestamp NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f+00:00', 'now')),
    UNIQUE (task_id, position)
);

-- +goose Down

DROP TABLE generation_input;
ALTER TABLE image_generations DROP COLUMN fit_inputs;
ALTER TABLE image_generations DROP COLUMN fallbacks;
ALTER TABLE generation_attempt DROP COLUMN images;
