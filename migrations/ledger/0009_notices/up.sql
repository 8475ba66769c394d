-- Conditions of which a destination was told, until it is told that they are over.
CREATE TABLE notices (
    destination TEXT NOT NULL,
    event TEXT NOT NULL,
    subject TEXT NOT NULL,
    -- Two conditions with the same digest are said once.
    digest TEXT NOT NULL,
    -- JSON: what was said.
    notice TEXT NOT NULL,
    PRIMARY KEY (destination, event, subject)
) STRICT;

-- Messages that wait to be delivered.
CREATE TABLE outbox (
    -- Never given twice: a message that is delivered keeps its place.
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    destination TEXT NOT NULL,
    event TEXT NOT NULL,
    subject TEXT NOT NULL,
    at TEXT NOT NULL,
    -- JSON: the message.
    payload TEXT NOT NULL,
    -- Tries so far, when the next one is due, and how the last one failed.
    attempts INTEGER NOT NULL DEFAULT 0,
    try_at TEXT,
    error TEXT
) STRICT;

CREATE INDEX outbox_destination ON outbox (destination, number);
