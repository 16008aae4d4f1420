-- messages     what a person or a driving agent tells the agent of a step; delivered once
-- leases       how often in a row engines died at the same frame
-- gates        may ask whether to go on after that

CREATE TABLE messages (
    run INTEGER NOT NULL,
    n INTEGER NOT NULL,
    key TEXT NOT NULL,
    body TEXT NOT NULL,
    actor TEXT NOT NULL,
    sent_at INTEGER NOT NULL,
    attempt INTEGER,  -- to which it was delivered
    delivered_at INTEGER,
    PRIMARY KEY (run, n)
) STRICT, WITHOUT ROWID;
CREATE INDEX messages_waiting ON messages (run, key) WHERE attempt IS NULL;

ALTER TABLE leases ADD COLUMN crashes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE leases ADD COLUMN crash_frame INTEGER NOT NULL DEFAULT -1;

DROP INDEX gates_open;
ALTER TABLE gates RENAME TO gates_before;
CREATE TABLE gates (
    run INTEGER NOT NULL,
    id TEXT NOT NULL,
    key TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('approval', 'no_progress', 'exhausted', 'budget', 'crashes')),
    title TEXT NOT NULL,
    decided_by TEXT NOT NULL CHECK (decided_by IN ('anyone', 'person', 'signed')),
    why TEXT NOT NULL,
    show TEXT NOT NULL,
    body TEXT NOT NULL,
    digest TEXT NOT NULL,
    opened_at INTEGER NOT NULL,
    open INTEGER NOT NULL DEFAULT 1 CHECK (open IN (0, 1)),
    PRIMARY KEY (run, id)
) STRICT, WITHOUT ROWID;
INSERT INTO gates SELECT run, id, key, kind, title, decided_by, why, show, body, digest, opened_at, open
FROM gates_before;
DROP TABLE gates_before;
CREATE INDEX gates_open ON gates (opened_at) WHERE open = 1;
