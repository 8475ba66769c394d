-- One row: the machine's clock when it was last trusted.
CREATE TABLE clock (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    seen_at TEXT NOT NULL,
    -- NULL where the boot has no name.
    boot_id TEXT,
    -- Milliseconds from the start of the machine to seen_at, suspends included.
    up_ms INTEGER NOT NULL,
    -- The operator who last confirmed the clock, as JSON, with when and for which boot that was.
    confirmed_by TEXT,
    confirmed_at TEXT,
    confirmed_boot_id TEXT
) STRICT;
