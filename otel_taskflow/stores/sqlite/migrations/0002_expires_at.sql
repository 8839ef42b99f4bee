-- compatible_from: 1
-- From then on the task's first attempt does not start any more. Releases that do not know it leave it as it is.

ALTER TABLE tasks ADD COLUMN expires_at INTEGER;
