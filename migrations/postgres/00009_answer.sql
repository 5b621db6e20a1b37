-- +goose NO TRANSACTION
-- +goose Up

-- Which of a completed task's results is its answer, whose picture image_url shows. Null in
-- rows that were completed by a release before this one: there image_url tells.
ALTER TABLE image_generations ADD COLUMN IF NOT EXISTS answer_result_id bigint;

-- What image_url tells is written down, some rows at a time, so that none is locked for long and
-- workers go on. A row that somebody else has locked, and those of an app, stay as they are.
-- +goose StatementBegin
DO $$
DECLARE
    page bigint[];
    last bigint := 0;
BEGIN
    LOOP
        page := ARRAY(SELECT id FROM image_generations WHERE status = 'completed' AND id > last ORDER BY id LIMIT 1000);
        EXIT WHEN cardinality(page) = 0;
        UPDATE image_generations SET answer_result_id = (SELECT r.id FROM generation_result r WHERE r.task_id = image_generations.id
                ORDER BY CASE WHEN r.generated_image_url = image_generations.image_url THEN 0 ELSE 1 END, coalesce(r.attempt_id, 0), r.position, r.id LIMIT 1)
            WHERE id IN (SELECT id FROM image_generations WHERE id = ANY (page) AND answer_result_id IS NULL AND fence >= 0 FOR NO KEY UPDATE SKIP LOCKED);
        last := page[cardinality(page)];
        COMMIT;
    END LOOP;
END $$;
-- +goose StatementEnd

-- +goose Down

ALTER TABLE image_generations DROP COLUMN IF EXISTS answer_result_id;
