-- Sums of each policy over all runs that the ledger ever had. Forgetting a run takes nothing away from them.
CREATE TABLE totals (
    policy TEXT NOT NULL PRIMARY KEY,
    -- The start of the earliest run that is in the sums.
    since TEXT NOT NULL,
    -- Runs in which the policy came to an end, whatever that was.
    runs INTEGER NOT NULL DEFAULT 0,
    rows_deleted INTEGER NOT NULL DEFAULT 0,
    rows_updated INTEGER NOT NULL DEFAULT 0,
    files_deleted INTEGER NOT NULL DEFAULT 0,
    bytes_reclaimed INTEGER NOT NULL DEFAULT 0
) STRICT;

INSERT INTO totals
SELECT
    policy,
    min(started_at),
    count(policy_results.status),
    total(json_extract(tally, '$.rows_deleted')),
    total(json_extract(tally, '$.rows_updated')),
    total(json_extract(tally, '$.files_deleted')),
    total(json_extract(tally, '$.bytes_reclaimed'))
FROM policy_results JOIN runs USING (run_id)
GROUP BY policy;

-- Whoever adds to a run (a batch, its end, a recovery after its end) adds the difference here, in the same transaction.
CREATE TRIGGER totals_grow AFTER UPDATE OF tally, status ON policy_results
BEGIN
    INSERT INTO totals (policy, since)
    SELECT NEW.policy, started_at FROM runs WHERE run_id = NEW.run_id
    ON CONFLICT (policy) DO UPDATE SET since = min(since, excluded.since);

    UPDATE totals SET
        runs = runs + (OLD.status IS NULL AND NEW.status IS NOT NULL),
        rows_deleted = rows_deleted
            + ifnull(json_extract(NEW.tally, '$.rows_deleted'), 0) - ifnull(json_extract(OLD.tally, '$.rows_deleted'), 0),
        rows_updated = rows_updated
            + ifnull(json_extract(NEW.tally, '$.rows_updated'), 0) - ifnull(json_extract(OLD.tally, '$.rows_updated'), 0),
        files_deleted = files_deleted
            + ifnull(json_extract(NEW.tally, '$.files_deleted'), 0) - ifnull(json_extract(OLD.tally, '$.files_deleted'), 0),
        bytes_reclaimed = bytes_reclaimed
            + ifnull(json_extract(NEW.tally, '$.bytes_reclaimed'), 0)
            - ifnull(json_extract(OLD.tally, '$.bytes_reclaimed'), 0)
    WHERE policy = NEW.policy;
END;

-- What a policy of files or of orphans last saw of its store.
CREATE TABLE surveys (
    policy TEXT NOT NULL PRIMARY KEY,
    seen_at TEXT NOT NULL,
    -- JSON: the files of the store and what they occupy, the orphans among them.
    survey TEXT NOT NULL
) STRICT;
