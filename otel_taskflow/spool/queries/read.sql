-- name: get_offset
SELECT seq FROM offsets WHERE journal_id = ?

-- name: get_attempt
SELECT state FROM attempts WHERE attempt = ?

-- name: key_of_queue
SELECT queue_key FROM queues WHERE destination = ? AND signal = ?

-- name: get_source
SELECT resource, resource_schema_url, scope, scope_schema_url FROM sources WHERE source_key = ?

-- name: take
SELECT id, source_key, time, body FROM messages WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?

-- name: backlog
SELECT queue_key, messages, bytes FROM queues WHERE destination = ? AND signal = ?

-- name: delivered
SELECT queues.delivered, queues.delivered_bytes, spool.made_at
FROM spool LEFT JOIN queues ON queues.destination = ? AND queues.signal = ?

-- name: dropped
SELECT destination, signal, reason, count FROM dropped WHERE count > 0

-- name: quarantined
SELECT
    quarantine.id, queues.signal, quarantine.source_key, quarantine.body, quarantine.time, quarantine.status,
    quarantine.answer, quarantine.quarantined_at
FROM quarantine JOIN queues ON queues.queue_key = quarantine.queue_key
WHERE queues.destination = ?
ORDER BY quarantine.quarantine_key DESC
LIMIT ?

-- name: count_quarantined
SELECT count(*) FROM quarantine

-- name: dump_messages
SELECT id, id, source_key, time, body, NULL, NULL, NULL, NULL, id >> 52
FROM messages WHERE id > :after AND id < :before ORDER BY id LIMIT 500

-- name: dump_messages_backwards
SELECT id, id, source_key, time, body, NULL, NULL, NULL, NULL, id >> 52
FROM messages WHERE id > :after AND id < :before ORDER BY id DESC LIMIT 500

-- name: dump_held
SELECT id, id, source_key, time, body, attempt, NULL, NULL, NULL, id >> 52
FROM held WHERE id > :after AND id < :before ORDER BY id LIMIT 500

-- name: dump_held_backwards
SELECT id, id, source_key, time, body, attempt, NULL, NULL, NULL, id >> 52
FROM held WHERE id > :after AND id < :before ORDER BY id DESC LIMIT 500

-- name: dump_quarantine
SELECT quarantine_key, id, source_key, time, body, NULL, status, answer, quarantined_at, queue_key
FROM quarantine WHERE quarantine_key > :after AND quarantine_key < :before ORDER BY quarantine_key LIMIT 500

-- name: dump_quarantine_backwards
SELECT quarantine_key, id, source_key, time, body, NULL, status, answer, quarantined_at, queue_key
FROM quarantine WHERE quarantine_key > :after AND quarantine_key < :before ORDER BY quarantine_key DESC LIMIT 500
