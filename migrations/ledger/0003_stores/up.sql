-- Stores that were adopted: from then on, whatever removes files in one needs its marker.
CREATE TABLE stores (
    store TEXT NOT NULL PRIMARY KEY,
    -- The id in its marker.
    id TEXT NOT NULL,
    adopted_at TEXT NOT NULL
) STRICT;
