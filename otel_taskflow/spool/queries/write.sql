-- name: about
SELECT made_at, sources_generation FROM spool

-- name: set_made_at
UPDATE spool SET made_at = ?

-- name: queues
SELECT
    queue_key, destination, signal, next_id, messages, bytes, next_held_id, held_messages, held_bytes, delivered,
    delivered_bytes
FROM queues
ORDER BY queue_key

-- name: put_queue
INSERT INTO queues (
    queue_key, destination, signal, next_id, messages, bytes, next_held_id, held_messages, held_bytes, delivered,
    delivered_bytes
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (queue_key) DO UPDATE SET
    destination = excluded.destination, signal = excluded.signal, next_id = excluded.next_id,
    messages = excluded.messages, bytes = excluded.bytes, next_held_id = excluded.next_held_id,
    held_messages = excluded.held_messages, held_bytes = excluded.held_bytes, delivered = excluded.delivered,
    delivered_bytes = excluded.delivered_bytes

-- name: add_dropped
INSERT INTO dropped (destination, signal, reason, count) VALUES (?, ?, ?, max(0, ?4))
ON CONFLICT (destination, signal, reason) DO UPDATE SET count = max(0, count + ?4)

-- name: key_of_source
SELECT source_key FROM sources WHERE digest = ?

-- name: add_source
INSERT INTO sources (digest, resource, resource_schema_url, scope, scope_schema_url) VALUES (?, ?, ?, ?, ?)

-- name: count_sources
SELECT count(*) FROM sources

-- name: delete_sources
DELETE FROM sources WHERE source_key NOT IN (SELECT source_key FROM quarantine)

-- name: next_generation
UPDATE spool SET sources_generation = sources_generation + 1

-- name: add_message
INSERT INTO messages (id, source_key, time, body) VALUES (?, ?, ?, ?)

-- name: add_held
INSERT INTO held (id, attempt, source_key, time, body) VALUES (?, ?, ?, ?, ?)

-- name: weigh_messages
SELECT count(*), coalesce(sum(length(body)), 0) FROM messages WHERE id BETWEEN ? AND ?

-- name: delete_messages
DELETE FROM messages WHERE id BETWEEN ? AND ?

-- name: weigh_held
SELECT count(*), coalesce(sum(length(body)), 0) FROM held WHERE id BETWEEN ? AND ?

-- name: delete_held
DELETE FROM held WHERE id BETWEEN ? AND ?

-- name: oldest_messages
SELECT time, id, length(body) FROM messages WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?

-- name: oldest_held
SELECT time, id, length(body) FROM held WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?

-- name: weigh_attempt
SELECT count(*), coalesce(sum(length(body)), 0) FROM held WHERE attempt = :attempt AND id BETWEEN :first AND :last

-- name: release_attempt
INSERT INTO messages (id, source_key, time, body)
SELECT :next_id - 1 + row_number() OVER (ORDER BY id), source_key, time, body
FROM held
WHERE attempt = :attempt AND id BETWEEN :first AND :last
ORDER BY id

-- name: delete_attempt
DELETE FROM held WHERE attempt = :attempt AND id BETWEEN :first AND :last

-- name: extend_eviction
UPDATE evictions SET last_id = :last WHERE queue_key = :queue AND last_id = :first - 1 AND reason = :reason

-- name: add_eviction
INSERT INTO evictions (queue_key, first_id, last_id, reason) VALUES (:queue, :first, :last, :reason)
ON CONFLICT (queue_key, first_id) DO UPDATE SET last_id = excluded.last_id, reason = excluded.reason

-- name: trim_evictions
DELETE FROM evictions
WHERE
    queue_key = :queue
    AND first_id <= (
        SELECT first_id FROM evictions WHERE queue_key = :queue ORDER BY first_id DESC LIMIT 1 OFFSET :kept
    )

-- name: evictions
SELECT first_id, last_id, reason FROM evictions WHERE queue_key = ?

-- name: forget_evictions
DELETE FROM evictions WHERE queue_key = ?

-- name: quarantine_message
INSERT INTO quarantine (queue_key, source_key, id, time, status, answer, quarantined_at, body)
SELECT :queue, source_key, id, time, :status, :answer, :time, body FROM messages WHERE id = :id

-- name: trim_quarantine
DELETE FROM quarantine
WHERE quarantine_key IN (
    SELECT quarantine_key
    FROM (
        SELECT
            quarantine_key,
            row_number() OVER newest AS place,
            sum(length(body)) OVER newest AS bytes
        FROM quarantine
        WHERE queue_key = :queue
        WINDOW newest AS (ORDER BY quarantine_key DESC)
    )
    WHERE place > :messages OR (bytes > :bytes AND place > 1)
)

-- name: put_attempt
INSERT INTO attempts (attempt, state) VALUES (?, ?) ON CONFLICT (attempt) DO UPDATE SET state = excluded.state

-- name: close_attempt
DELETE FROM attempts WHERE attempt = ?

-- name: put_offset
INSERT INTO offsets (journal_id, seq) VALUES (?, ?) ON CONFLICT (journal_id) DO UPDATE SET seq = excluded.seq

-- name: forget_offset
DELETE FROM offsets WHERE journal_id = ?
