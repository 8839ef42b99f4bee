-- compatible_from: 1
-- Times are Unix nanoseconds. A task whose status is NULL is announced only: lines or attempts of it came before its row.

CREATE TABLE tasks (
    task_key INTEGER PRIMARY KEY,
    task_id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL DEFAULT '',
    status TEXT,
    created_at INTEGER NOT NULL,
    args TEXT,
    tags TEXT CHECK (tags IS NULL OR json_valid(tags)),
    idempotency_key TEXT,
    source TEXT NOT NULL DEFAULT 'manual',
    held INTEGER NOT NULL DEFAULT 0,
    released_at INTEGER,
    started_at INTEGER,
    ended_at INTEGER,
    waiting_until INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    max_attempts INTEGER NOT NULL DEFAULT 1,
    error_type TEXT,
    error_message TEXT,
    error_stacktrace TEXT,
    reason TEXT,
    owner TEXT,
    trace_id TEXT,
    span_id TEXT,
    parent_span_id TEXT,
    trace_flags INTEGER,
    trace_state TEXT,
    carrier TEXT CHECK (carrier IS NULL OR json_valid(carrier)),
    executor TEXT NOT NULL DEFAULT 'thread',
    retry_of TEXT,
    retried_as TEXT,
    log_count INTEGER NOT NULL DEFAULT 0,
    requeue_on_interrupt INTEGER NOT NULL DEFAULT 0
);

CREATE INDEX tasks_newest ON tasks (created_at, task_id) WHERE status IS NOT NULL;
CREATE INDEX tasks_of_status ON tasks (status, created_at, task_id) WHERE status IS NOT NULL;
CREATE INDEX tasks_of_name ON tasks (name, created_at, task_id) WHERE status IS NOT NULL;
CREATE INDEX tasks_unfinished ON tasks (owner) WHERE status IN ('pending', 'running');
CREATE INDEX tasks_ended ON tasks (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX tasks_announced ON tasks (created_at) WHERE status IS NULL;
CREATE INDEX tasks_idempotent ON tasks (name, idempotency_key, created_at) WHERE idempotency_key IS NOT NULL;

-- Tags once more, newest first for each tag. Kept by triggers.
CREATE TABLE task_tags (
    tag TEXT NOT NULL,
    value TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    task_id TEXT NOT NULL,
    PRIMARY KEY (tag, value, created_at, task_id)
) WITHOUT ROWID;

CREATE TABLE attempts (
    task_key INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    trace_id TEXT NOT NULL,
    span_id TEXT NOT NULL,
    parent_span_id TEXT,
    trace_flags INTEGER NOT NULL,
    trace_state TEXT NOT NULL,
    worker TEXT NOT NULL,
    ended_at INTEGER,
    duration INTEGER,
    queue_wait INTEGER NOT NULL,
    outcome TEXT,
    error_type TEXT,
    error_message TEXT,
    error_stacktrace TEXT,
    log_count INTEGER NOT NULL,
    late_end INTEGER NOT NULL,
    PRIMARY KEY (task_key, attempt)
) WITHOUT ROWID;

-- Rows are only ever added at the end, so the order of log_key is the order of writing.
CREATE TABLE logs (
    log_key INTEGER PRIMARY KEY,
    task_key INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    time INTEGER NOT NULL,
    level INTEGER NOT NULL,
    message TEXT NOT NULL,
    extra TEXT,
    logger TEXT,
    late INTEGER NOT NULL,
    change_seq INTEGER NOT NULL,
    UNIQUE (task_key, attempt, seq)
);

CREATE INDEX logs_of_change ON logs (task_key, change_seq);

-- The text is in logs; this holds the words only. Extras are found by it too: an index of their keys and values as a table
-- touched two random pages a line, which made writing half as fast with 300,000 lines stored.
CREATE VIRTUAL TABLE log_fts USING fts5 (message, extra, content = 'logs', content_rowid = 'log_key');

CREATE TABLE changes (
    seq INTEGER PRIMARY KEY,
    task_key INTEGER NOT NULL
);

CREATE TABLE rollups (
    name TEXT NOT NULL,
    minute INTEGER NOT NULL,
    enqueued INTEGER NOT NULL,
    succeeded INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    retried INTEGER NOT NULL,
    cancelled INTEGER NOT NULL,
    interrupted INTEGER NOT NULL,
    duration_sum INTEGER NOT NULL,
    duration_buckets TEXT NOT NULL CHECK (json_valid(duration_buckets)),
    PRIMARY KEY (minute, name)
) WITHOUT ROWID;

CREATE TABLE offsets (
    journal_id TEXT PRIMARY KEY,
    seq INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE commands (
    command_key INTEGER PRIMARY KEY AUTOINCREMENT,
    task_id TEXT NOT NULL,
    verb TEXT NOT NULL,
    time INTEGER NOT NULL,
    actor TEXT NOT NULL
);

-- What would be slow to count: tasks by status, finished tasks and their microseconds, lines, lines whose words are still in
-- log_fts, the feed's two ends.
CREATE TABLE counters (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;

INSERT INTO counters (name, value)
VALUES
    ('pending', 0), ('running', 0), ('success', 0), ('failed', 0), ('interrupted', 0), ('cancelled', 0),
    ('timed', 0), ('microseconds', 0), ('logs', 0), ('dead_logs', 0), ('last_change', 0), ('trimmed_to', 0);

CREATE TRIGGER count_new_task AFTER INSERT ON tasks WHEN NEW.status IS NOT NULL
BEGIN
    UPDATE counters SET value = value + 1 WHERE name = NEW.status;
END;

CREATE TRIGGER count_changed_task AFTER UPDATE OF status ON tasks WHEN OLD.status IS NOT NEW.status
BEGIN
    UPDATE counters SET value = value - 1 WHERE name = OLD.status;
    UPDATE counters SET value = value + 1 WHERE name = NEW.status;
END;

CREATE TRIGGER count_deleted_task AFTER DELETE ON tasks WHEN OLD.status IS NOT NULL
BEGIN
    UPDATE counters SET value = value - 1 WHERE name = OLD.status;
END;

CREATE TRIGGER time_new_task AFTER INSERT ON tasks WHEN NEW.ended_at >= NEW.started_at
BEGIN
    UPDATE counters SET value = value + 1 WHERE name = 'timed';
    UPDATE counters SET value = value + (NEW.ended_at - NEW.started_at) / 1000 WHERE name = 'microseconds';
END;

CREATE TRIGGER time_changed_task AFTER UPDATE OF started_at, ended_at ON tasks
WHEN OLD.started_at IS NOT NEW.started_at OR OLD.ended_at IS NOT NEW.ended_at
BEGIN
    UPDATE counters SET value = value - 1 WHERE name = 'timed' AND OLD.ended_at >= OLD.started_at;
    UPDATE counters SET value = value - (OLD.ended_at - OLD.started_at) / 1000
    WHERE name = 'microseconds' AND OLD.ended_at >= OLD.started_at;
    UPDATE counters SET value = value + 1 WHERE name = 'timed' AND NEW.ended_at >= NEW.started_at;
    UPDATE counters SET value = value + (NEW.ended_at - NEW.started_at) / 1000
    WHERE name = 'microseconds' AND NEW.ended_at >= NEW.started_at;
END;

CREATE TRIGGER time_deleted_task AFTER DELETE ON tasks WHEN OLD.ended_at >= OLD.started_at
BEGIN
    UPDATE counters SET value = value - 1 WHERE name = 'timed';
    UPDATE counters SET value = value - (OLD.ended_at - OLD.started_at) / 1000 WHERE name = 'microseconds';
END;

CREATE TRIGGER tag_new_task AFTER INSERT ON tasks WHEN NEW.tags IS NOT NULL
BEGIN
    INSERT OR IGNORE INTO task_tags (tag, value, created_at, task_id)
    SELECT tag.key, tag.value, NEW.created_at, NEW.task_id FROM json_each(NEW.tags) AS tag;
END;

CREATE TRIGGER tag_changed_task AFTER UPDATE OF tags, created_at ON tasks
WHEN OLD.tags IS NOT NEW.tags OR (NEW.tags IS NOT NULL AND OLD.created_at <> NEW.created_at)
BEGIN
    DELETE FROM task_tags
    WHERE (tag, value, created_at, task_id) IN (
        SELECT gone.key, gone.value, OLD.created_at, OLD.task_id FROM json_each(coalesce(OLD.tags, '{}')) AS gone
    );
    INSERT OR IGNORE INTO task_tags (tag, value, created_at, task_id)
    SELECT tag.key, tag.value, NEW.created_at, NEW.task_id FROM json_each(coalesce(NEW.tags, '{}')) AS tag;
END;

CREATE TRIGGER untag_deleted_task AFTER DELETE ON tasks WHEN OLD.tags IS NOT NULL
BEGIN
    DELETE FROM task_tags
    WHERE (tag, value, created_at, task_id) IN (
        SELECT gone.key, gone.value, OLD.created_at, OLD.task_id FROM json_each(OLD.tags) AS gone
    );
END;
