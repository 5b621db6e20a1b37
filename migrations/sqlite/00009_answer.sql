-- +goose Up

-- Which of a completed task's results is its answer, whose picture image_url shows. Null in
-- rows that were completed by a release before this one: there image_url tells.
ALTER TABLE image_generations ADD COLUMN answer_result_id integer;

-- What image_url tells is written down.
UPDATE image_generations SET answer_result_id = (SELECT r.id FROM generation_result r WHERE r.task_id = image_generations.id
        ORDER BY CASE WHEN r.generated_image_url = image_generations.image_url THEN 0 ELSE 1 END, coalesce(r.attempt_id, 0), r.position, r.id LIMIT 1)
    WHERE status = 'completed' AND fence >= 0;

-- +goose Down

ALTER TABLE image_generations DROP COLUMN answer_result_id;
