-- The application's table of the example in compose.yaml.
CREATE TABLE events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT now(),
    attachment text
);
CREATE INDEX ON events (created_at);
CREATE INDEX ON events (attachment);
