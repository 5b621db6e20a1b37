-- +goose Up

-- Pictures that somebody wants to keep, whatever their age.
CREATE TABLE favorite (
    id         integer PRIMARY KEY AUTOINCREMENT,
    user_id    integer NOT NULL DEFAULT 0,
    result_id  integer NOT NULL REFERENCES generation_result (id) ON DELETE CASCADE,
    created_at timestamp NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f+00:00', 'now')),
    UNIQUE (result_id, user_id)
);

-- +goose Down

DROP TABLE favorite;
