-- Who asked for a run, and under what: an operator, overrides and parameters, as JSON. NULL where the schedule did.
ALTER TABLE runs ADD COLUMN asked TEXT;

-- Everything that somebody asked for and every run that began, each entry with the hash of the one before it. Nothing here is
-- ever updated; the oldest entries go together, and the fact "audit_pruned" has the number and the hash of the last of them.
CREATE TABLE audit (
    number INTEGER NOT NULL PRIMARY KEY,
    at TEXT NOT NULL,
    -- The operator, as JSON; NULL for the schedule and the daemon itself.
    by TEXT,
    action TEXT NOT NULL,
    -- The task, policy, store or run that it is about.
    subject TEXT NOT NULL,
    -- JSON.
    detail TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL
) STRICT;
