-- The run directory's database, version 3.
--
--   meta           one row: schema version, id of this store
--   runs           one row a run: what was asked, where it stands (its summary is a projection)
--   leases         who drives a run: owner, fencing number, expiry
--   steps          the plan as last persisted, and each step's present state (a projection)
--   attempts       one try of a step
--   outputs        the value of a finished step or iteration, written once
--   frames         one committed transition of a run, numbered from 1
--   step_history   what each frame changed
--   gates          what waits for a decision
--   decisions      the first, and only, answer to a gate
--   messages       what the agent of a step is to be told, delivered once
--   snapshots      trees before and after attempts, as git commits
--
-- Facts: runs (but its summary), attempts, outputs, gates, decisions, messages. Everything else follows from them.
-- Times are milliseconds since 1970 UTC.

CREATE TABLE meta (
    version INTEGER NOT NULL,
    store_id TEXT NOT NULL
) STRICT;

CREATE TABLE runs (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    recipe TEXT NOT NULL,
    title TEXT NOT NULL,
    source TEXT NOT NULL,
    source_digest TEXT NOT NULL,
    input TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    agents TEXT NOT NULL DEFAULT '{}',
    gates TEXT NOT NULL DEFAULT '{}',
    budget TEXT NOT NULL DEFAULT '{}',
    root TEXT NOT NULL,
    workspace TEXT NOT NULL,
    branch TEXT NOT NULL DEFAULT '',
    base TEXT NOT NULL DEFAULT '',
    notes TEXT NOT NULL DEFAULT '[]',
    parent TEXT NOT NULL DEFAULT '',
    -- asked from outside; rev rises with each such change, decisions and reopened steps included
    intent TEXT NOT NULL DEFAULT 'go' CHECK (intent IN ('go', 'pause', 'pause_now', 'cancel')),
    intent_by TEXT NOT NULL DEFAULT '',
    stop_by TEXT NOT NULL DEFAULT '',
    rev INTEGER NOT NULL DEFAULT 0,
    -- the summary
    status TEXT NOT NULL DEFAULT 'queued' CHECK (status IN
        ('queued', 'running', 'waiting', 'paused', 'succeeded', 'failed', 'cancelled', 'superseded')),
    status_reason TEXT NOT NULL DEFAULT '',
    error TEXT NOT NULL DEFAULT '',
    started_at INTEGER,
    finished_at INTEGER,
    wake_at INTEGER,
    frame INTEGER NOT NULL DEFAULT 0,
    total INTEGER NOT NULL DEFAULT 0,
    done INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    running INTEGER NOT NULL DEFAULT 0,
    waiting INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX runs_by_status ON runs (status, seq);

CREATE TABLE leases (
    run INTEGER PRIMARY KEY REFERENCES runs (seq),
    fence INTEGER NOT NULL,
    host TEXT NOT NULL DEFAULT '',
    boot_id TEXT NOT NULL DEFAULT '',
    pid_ns INTEGER NOT NULL DEFAULT 0,
    pid INTEGER NOT NULL DEFAULT 0,
    start_time INTEGER NOT NULL DEFAULT 0,
    expires_at INTEGER NOT NULL DEFAULT 0,
    held INTEGER NOT NULL DEFAULT 0 CHECK (held IN (0, 1)),
    crashes INTEGER NOT NULL DEFAULT 0,  -- how often in a row engines died at one frame
    crash_frame INTEGER NOT NULL DEFAULT -1
) STRICT;

CREATE TABLE steps (
    run INTEGER NOT NULL,
    key TEXT NOT NULL,
    scope TEXT NOT NULL,
    position INTEGER NOT NULL,
    kind TEXT NOT NULL,
    title TEXT NOT NULL,
    after TEXT NOT NULL DEFAULT '[]',
    runs_when INTEGER NOT NULL DEFAULT 1,
    limits TEXT NOT NULL DEFAULT '[]',
    spec TEXT NOT NULL DEFAULT '{}',
    status TEXT NOT NULL DEFAULT 'pending' CHECK (status IN
        ('pending', 'ready', 'running', 'waiting', 'retrying', 'succeeded', 'failed', 'skipped', 'cancelled')),
    reason TEXT NOT NULL DEFAULT '',
    wake_at INTEGER,
    gone INTEGER NOT NULL DEFAULT 0,  -- no longer in the plan, kept for what it did
    PRIMARY KEY (run, key)
) STRICT, WITHOUT ROWID;

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
CREATE INDEX attempts_open ON attempts (run) WHERE status = 'running';

CREATE TABLE outputs (
    run INTEGER NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (run, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE frames (
    run INTEGER NOT NULL,
    n INTEGER NOT NULL,
    at INTEGER NOT NULL,
    why TEXT NOT NULL,
    PRIMARY KEY (run, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE step_history (
    run INTEGER NOT NULL,
    frame INTEGER NOT NULL,
    key TEXT NOT NULL,
    status TEXT NOT NULL,
    PRIMARY KEY (run, frame, key)
) STRICT, WITHOUT ROWID;

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
CREATE INDEX gates_open ON gates (opened_at) WHERE open = 1;

CREATE TABLE decisions (
    run INTEGER NOT NULL,
    gate TEXT NOT NULL,
    answer TEXT NOT NULL CHECK (answer IN ('approve', 'deny')),
    actor TEXT NOT NULL,
    established TEXT NOT NULL,
    note TEXT NOT NULL,
    digest TEXT NOT NULL,
    decided_at INTEGER NOT NULL,
    remember TEXT NOT NULL DEFAULT 'once' CHECK (remember IN ('once', 'step', 'run', 'recipe')),
    PRIMARY KEY (run, gate)
) STRICT, WITHOUT ROWID;

CREATE TABLE snapshots (
    run INTEGER NOT NULL,
    key TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    side TEXT NOT NULL CHECK (side IN ('before', 'after', 'found')),
    commit_id TEXT NOT NULL,
    taken_at INTEGER NOT NULL,
    incomplete TEXT NOT NULL DEFAULT '[]',
    PRIMARY KEY (run, key, attempt, side)
) STRICT, WITHOUT ROWID;

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
