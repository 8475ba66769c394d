-- The ledger on SQLite. Instants are RFC 3339 in UTC with nine decimals, so that text order is time order.

CREATE TABLE runs (
    run_id TEXT NOT NULL PRIMARY KEY,
    mode TEXT NOT NULL,
    "trigger" TEXT NOT NULL,
    task TEXT,
    due_at TEXT,
    -- Number of the lock file that the run's process holds; NULL once the run is known to be over or dead.
    seat INTEGER,
    pid INTEGER NOT NULL,
    -- NULL while it runs.
    status TEXT,
    cause TEXT,
    started_at TEXT NOT NULL,
    finished_at TEXT,
    duration_ms INTEGER NOT NULL DEFAULT 0,
    -- JSON: sums over the run's policies.
    totals TEXT NOT NULL DEFAULT '{}',
    -- A slot of a task is run once.
    UNIQUE (task, due_at)
) STRICT;
CREATE INDEX runs_newest ON runs (started_at, run_id);
CREATE INDEX runs_of_task ON runs (task, started_at);
CREATE INDEX runs_unfinished ON runs (run_id) WHERE finished_at IS NULL;

CREATE TABLE policy_results (
    -- Order in which the policies of a run began.
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    run_id TEXT NOT NULL REFERENCES runs (run_id) ON DELETE CASCADE,
    policy TEXT NOT NULL,
    -- NULL until the policy's result is recorded; the sums grow with each batch before that.
    status TEXT,
    error_count INTEGER NOT NULL DEFAULT 0,
    -- JSON: the sums.
    tally TEXT NOT NULL DEFAULT '{}',
    -- JSON: what is no sum (kind, cutoff, errors, details, guards, …).
    account TEXT,
    UNIQUE (run_id, policy)
) STRICT;
CREATE INDEX results_of_policy ON policy_results (policy, id);

CREATE TABLE intents (
    -- Never used twice.
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    run_id TEXT NOT NULL,
    policy TEXT NOT NULL,
    source TEXT NOT NULL,
    source_identity TEXT NOT NULL,
    table_name TEXT NOT NULL,
    transaction_id TEXT,
    committed INTEGER NOT NULL,
    recorded_at TEXT NOT NULL,
    -- JSON: what its rows add to the sums once the transaction is known to be committed.
    tally TEXT NOT NULL,
    file_count INTEGER NOT NULL,
    -- JSON: the files of a batch together, because one row is written much faster than a thousand.
    items TEXT NOT NULL
) STRICT;
CREATE INDEX intents_of_policy ON intents (policy, id);
CREATE INDEX intents_of_run ON intents (run_id);

CREATE TABLE leases (
    policy TEXT NOT NULL PRIMARY KEY,
    -- Rises with each lease; a process that comes back with an older one has lost its right.
    token INTEGER NOT NULL,
    -- NULL once it was given back.
    run_id TEXT,
    pid INTEGER NOT NULL,
    since TEXT NOT NULL
) STRICT;

CREATE TABLE tasks (
    task TEXT NOT NULL PRIMARY KEY,
    known_since TEXT NOT NULL,
    -- The newest slot that was run or skipped.
    last_due_at TEXT
) STRICT;
