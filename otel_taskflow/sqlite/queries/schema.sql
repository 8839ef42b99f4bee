-- name: schema_version
SELECT version, compatible_from FROM schema_version ORDER BY version DESC LIMIT 1

-- name: tables
SELECT name FROM sqlite_master WHERE type = 'table'

-- name: create_schema_version
CREATE TABLE IF NOT EXISTS schema_version (
    version INTEGER PRIMARY KEY,
    compatible_from INTEGER NOT NULL,
    applied_at INTEGER NOT NULL,
    release TEXT NOT NULL
)

-- name: add_schema_version
INSERT INTO schema_version (version, compatible_from, applied_at, release) VALUES (?, ?, ?, ?)
