-- compatible_from: 1
-- Times are Unix nanoseconds. Bodies are the last column: their length is known without reading them.

CREATE TABLE spool (
    made_at INTEGER NOT NULL,
    -- Goes up when sources are deleted: processes remember the keys of theirs.
    sources_generation INTEGER NOT NULL
);

INSERT INTO spool (made_at, sources_generation)
VALUES (CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) * 1000000, 0);

-- Keys are never given again.
CREATE TABLE sources (
    source_key INTEGER PRIMARY KEY AUTOINCREMENT,
    digest BLOB NOT NULL UNIQUE,
    resource BLOB NOT NULL,
    resource_schema_url TEXT NOT NULL,
    scope BLOB NOT NULL,
    scope_schema_url TEXT NOT NULL
);

-- What is stored, so that nobody has to count it. The ids of a queue's rows begin at queue_key * 2^52, so that the rows of
-- one queue lie together, in order. Below that an id is a number that begins with the microseconds at which the queue was
-- made: an id of a file that was moved aside is never one of the file that came after it.
CREATE TABLE queues (
    queue_key INTEGER PRIMARY KEY CHECK (queue_key BETWEEN 1 AND 2047),
    destination TEXT NOT NULL,
    signal TEXT NOT NULL,
    next_id INTEGER NOT NULL,
    messages INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    next_held_id INTEGER NOT NULL,
    held_messages INTEGER NOT NULL,
    held_bytes INTEGER NOT NULL,
    delivered INTEGER NOT NULL,
    delivered_bytes INTEGER NOT NULL,
    UNIQUE (destination, signal)
);

CREATE TABLE messages (
    id INTEGER PRIMARY KEY,
    source_key INTEGER NOT NULL,
    time INTEGER NOT NULL,
    body BLOB NOT NULL
);

-- Messages of attempts whose end decides whether they are sent.
CREATE TABLE held (
    id INTEGER PRIMARY KEY,
    attempt TEXT NOT NULL,
    source_key INTEGER NOT NULL,
    time INTEGER NOT NULL,
    body BLOB NOT NULL
);

CREATE INDEX held_of_attempt ON held (attempt);

-- The last rows that went unsent: if they were being sent at that moment and arrive, they are no loss.
CREATE TABLE evictions (
    queue_key INTEGER NOT NULL,
    first_id INTEGER NOT NULL,
    last_id INTEGER NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (queue_key, first_id)
) WITHOUT ROWID;

CREATE TABLE quarantine (
    quarantine_key INTEGER PRIMARY KEY,
    queue_key INTEGER NOT NULL,
    source_key INTEGER NOT NULL,
    id INTEGER NOT NULL,
    time INTEGER NOT NULL,
    status INTEGER NOT NULL,
    answer TEXT NOT NULL,
    quarantined_at INTEGER NOT NULL,
    body BLOB NOT NULL
);

CREATE INDEX quarantine_of_queue ON quarantine (queue_key);

CREATE TABLE attempts (
    attempt TEXT PRIMARY KEY,
    state BLOB NOT NULL
);

CREATE TABLE offsets (
    journal_id TEXT PRIMARY KEY,
    seq INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE dropped (
    destination TEXT NOT NULL,
    signal TEXT NOT NULL,
    reason TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (destination, signal, reason)
) WITHOUT ROWID;
