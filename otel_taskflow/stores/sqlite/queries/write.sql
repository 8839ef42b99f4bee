-- name: put_task
INSERT INTO tasks (
    task_id, name, status, created_at, args, tags, idempotency_key, source, held, released_at, started_at, ended_at,
    waiting_until, attempts, max_attempts, error_type, error_message, error_stacktrace, reason, owner, trace_id, span_id,
    parent_span_id, trace_flags, trace_state, carrier, executor, retry_of, retried_as, log_count, requeue_on_interrupt,
    expires_at
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (task_id) DO UPDATE SET
    name = excluded.name, status = excluded.status, created_at = excluded.created_at, args = excluded.args,
    tags = excluded.tags, idempotency_key = excluded.idempotency_key, source = excluded.source, held = excluded.held,
    released_at = excluded.released_at, started_at = excluded.started_at, ended_at = excluded.ended_at,
    waiting_until = excluded.waiting_until, attempts = excluded.attempts, max_attempts = excluded.max_attempts,
    error_type = excluded.error_type, error_message = excluded.error_message,
    error_stacktrace = excluded.error_stacktrace, reason = excluded.reason, owner = excluded.owner,
    trace_id = excluded.trace_id, span_id = excluded.span_id, parent_span_id = excluded.parent_span_id,
    trace_flags = excluded.trace_flags, trace_state = excluded.trace_state, carrier = excluded.carrier,
    executor = excluded.executor, retry_of = excluded.retry_of, retried_as = excluded.retried_as,
    log_count = excluded.log_count, requeue_on_interrupt = excluded.requeue_on_interrupt,
    expires_at = excluded.expires_at
WHERE tasks.owner IS NULL OR tasks.owner IS excluded.owner

-- name: announce_task
INSERT INTO tasks (task_id, created_at) VALUES (?, ?) ON CONFLICT (task_id) DO NOTHING

-- name: keys_of_tasks
SELECT task_id, task_key FROM tasks WHERE task_id IN (SELECT value FROM json_each(?))

-- name: put_attempt
INSERT INTO attempts (
    task_key, attempt, started_at, trace_id, span_id, parent_span_id, trace_flags, trace_state, worker, ended_at, duration,
    queue_wait, outcome, error_type, error_message, error_stacktrace, log_count, late_end
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (task_key, attempt) DO UPDATE SET
    started_at = excluded.started_at, trace_id = excluded.trace_id, span_id = excluded.span_id,
    parent_span_id = excluded.parent_span_id, trace_flags = excluded.trace_flags, trace_state = excluded.trace_state,
    worker = excluded.worker, ended_at = excluded.ended_at, duration = excluded.duration,
    queue_wait = excluded.queue_wait, outcome = excluded.outcome, error_type = excluded.error_type,
    error_message = excluded.error_message, error_stacktrace = excluded.error_stacktrace,
    log_count = excluded.log_count, late_end = excluded.late_end

-- name: newest_log
SELECT coalesce(max(log_key), 0) FROM logs

-- name: add_log
INSERT INTO logs (task_key, change_seq, attempt, seq, time, level, message, extra, logger, late)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (task_key, attempt, seq) DO NOTHING

-- name: index_log_words
INSERT INTO log_fts (rowid, message, extra) SELECT log_key, message, extra FROM logs WHERE log_key > ?

-- name: add_change
INSERT INTO changes (seq, task_key) VALUES (?, ?)

-- name: set_counter
UPDATE counters SET value = ? WHERE name = ?

-- name: add_to_counter
UPDATE counters SET value = value + ? WHERE name = ?

-- name: get_rollup
SELECT duration_buckets FROM rollups WHERE minute = ? AND name = ?

-- name: put_rollup
INSERT INTO rollups (
    name, minute, enqueued, succeeded, failed, retried, cancelled, interrupted, duration_sum, duration_buckets
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (minute, name) DO UPDATE SET
    enqueued = enqueued + excluded.enqueued, succeeded = succeeded + excluded.succeeded,
    failed = failed + excluded.failed, retried = retried + excluded.retried,
    cancelled = cancelled + excluded.cancelled, interrupted = interrupted + excluded.interrupted,
    duration_sum = duration_sum + excluded.duration_sum, duration_buckets = excluded.duration_buckets

-- name: put_offset
INSERT INTO offsets (journal_id, seq) VALUES (?, ?) ON CONFLICT (journal_id) DO UPDATE SET seq = excluded.seq

-- name: forget_offset
DELETE FROM offsets WHERE journal_id = ?

-- name: claim
UPDATE tasks SET owner = :new WHERE owner = :owner AND status IN ('pending', 'running')
    AND (NOT :idle_only OR status = 'pending' OR waiting_until IS NOT NULL)

-- name: add_command
INSERT INTO commands (task_id, verb, time, actor) VALUES (?, ?, ?, ?)

-- name: delete_command
DELETE FROM commands WHERE command_key = ?

-- name: trim_commands
DELETE FROM commands WHERE time < ?

-- name: trim_changes
DELETE FROM changes WHERE seq <= ?

-- name: log_keys_of_tasks
SELECT log_key FROM logs WHERE task_key IN (SELECT value FROM json_each(:tasks)) LIMIT :limit

-- name: delete_log_words
INSERT INTO log_fts (log_fts, rowid, message, extra)
SELECT 'delete', log_key, message, extra FROM logs WHERE log_key IN (SELECT value FROM json_each(?))

-- name: merge_log_words
INSERT INTO log_fts (log_fts, rank) VALUES ('merge', ?)

-- name: delete_logs
DELETE FROM logs WHERE log_key IN (SELECT value FROM json_each(?))

-- name: delete_attempts
DELETE FROM attempts WHERE task_key IN (SELECT value FROM json_each(?))

-- name: delete_changes
DELETE FROM changes WHERE task_key IN (SELECT value FROM json_each(?))

-- name: delete_commands
DELETE FROM commands
WHERE task_id IN (SELECT task_id FROM tasks WHERE task_key IN (SELECT value FROM json_each(?)))

-- name: delete_tasks
DELETE FROM tasks WHERE task_key IN (SELECT value FROM json_each(?))

-- name: delete_rollups
DELETE FROM rollups WHERE minute < ?
