-- attempts     may end to ask a person; count what came from a provider's cache
-- gates        may be about a permission
-- decisions    say for how long such an answer holds

DROP INDEX attempts_open;
ALTER TABLE attempts RENAME TO attempts_before;
CREATE TABLE attempts (
    run INTEGER NOT NULL,
    key TEXT NOT NULL,
    n INTEGER NOT NULL,
    token INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status IN
        ('running', 'succeeded', 'failed', 'interrupted', 'stopped', 'timed_out', 'rate_limited', 'asked')),
    started_at INTEGER NOT NULL,
    finished_at INTEGER,
    charged INTEGER NOT NULL DEFAULT 1,
    retry_at INTEGER,
    reopened TEXT NOT NULL DEFAULT '',  -- who asked for another try after it failed
    exit_code INTEGER,
    error TEXT NOT NULL DEFAULT '',
    agent TEXT NOT NULL DEFAULT '',
    model TEXT NOT NULL DEFAULT '',
    session TEXT NOT NULL DEFAULT '',
    value TEXT,
    input_tokens INTEGER,
    output_tokens INTEGER,
    cost_usd REAL,
    cached_tokens INTEGER,
    PRIMARY KEY (run, key, n)
) STRICT, WITHOUT ROWID;
INSERT INTO attempts (run, key, n, token, status, started_at, finished_at, charged, retry_at, reopened, exit_code, error, agent, model, session, value, input_tokens, output_tokens, cost_usd)
SELECT run, key, n, token, status, started_at, finished_at, charged, retry_at, reopened, exit_code, error, agent, model, session, value, input_tokens, output_tokens, cost_usd FROM attempts_before;
DROP TABLE attempts_before;
CREATE INDEX attempts_open ON attempts (run) WHERE status = 'running';

DROP INDEX gates_open;
ALTER TABLE gates RENAME TO gates_before;
CREATE TABLE gates (
    run INTEGER NOT NULL,
    id TEXT NOT NULL,
    key TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('approval', 'no_progress', 'exhausted', 'budget', 'crashes', 'permission')),
    title TEXT NOT NULL,
    decided_by TEXT NOT NULL CHECK (decided_by IN ('anyone', 'person', 'signed')),
    why TEXT NOT NULL,
    show TEXT NOT NULL,
    body TEXT NOT NULL,
    digest TEXT NOT NULL,
    opened_at INTEGER NOT NULL,
    open INTEGER NOT NULL DEFAULT 1 CHECK (open IN (0, 1)),
    about TEXT,  -- of a gate about a permission, as JSON: what is asked for, and by which attempt
    PRIMARY KEY (run, id)
) STRICT, WITHOUT ROWID;
INSERT INTO gates SELECT run, id, key, kind, title, decided_by, why, show, body, digest, opened_at, open, NULL
FROM gates_before;
DROP TABLE gates_before;
CREATE INDEX gates_open ON gates (opened_at) WHERE open = 1;

ALTER TABLE decisions ADD COLUMN
    remember TEXT NOT NULL DEFAULT 'once' CHECK (remember IN ('once', 'step', 'run', 'recipe'));
