-- What each policy may take: its configuration as somebody has last agreed to it.
CREATE TABLE baselines (
    policy TEXT NOT NULL PRIMARY KEY,
    -- JSON: the configuration in words.
    wording TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    since TEXT NOT NULL
) STRICT;

CREATE TABLE approvals (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    policy TEXT NOT NULL,
    -- Of the configuration that was shown, and these words.
    fingerprint TEXT NOT NULL,
    wording TEXT NOT NULL,
    -- How many things were shown, as of when.
    amount INTEGER NOT NULL,
    shown_at TEXT NOT NULL,
    approved_at TEXT NOT NULL,
    -- JSON: who.
    approver TEXT NOT NULL,
    -- The run that took what was shown; an approval covers one.
    used_by TEXT
) STRICT;
CREATE INDEX approvals_of_policy ON approvals (policy, id);

-- What waits for an approval.
CREATE TABLE holds (
    policy TEXT NOT NULL PRIMARY KEY,
    since TEXT NOT NULL,
    -- JSON: why, and what would change.
    hold TEXT NOT NULL
) STRICT;

-- Single facts about the ledger, each under its name.
CREATE TABLE facts (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
-- A ledger in which policies have run before it knew of approvals: what they did was agreed to.
INSERT INTO facts (name, value) SELECT 'approves_what_ran', 'true' WHERE EXISTS (SELECT 1 FROM runs);
