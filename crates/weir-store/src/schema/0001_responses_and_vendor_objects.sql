-- Times are microseconds since 1970, UTC. Only what SQLite and PostgreSQL both take.

-- What is kept of an answer, besides its texts: so that a change here does not write those anew.
CREATE TABLE responses (
    id         TEXT   NOT NULL PRIMARY KEY,
    owner      TEXT   NOT NULL,
    previous   TEXT,
    status     TEXT   NOT NULL,
    created    BIGINT NOT NULL,
    expires    BIGINT NOT NULL,
    bytes      BIGINT NOT NULL,
    body_bytes BIGINT NOT NULL
);
CREATE INDEX responses_expires ON responses (expires);
CREATE INDEX responses_unfinished ON responses (status) WHERE status IN ('queued', 'in_progress');

CREATE TABLE response_texts (
    id    TEXT NOT NULL PRIMARY KEY,
    input TEXT NOT NULL,
    body  TEXT NOT NULL
);

CREATE TABLE vendor_objects (
    id         TEXT   NOT NULL PRIMARY KEY,
    owner      TEXT   NOT NULL,
    kind       TEXT   NOT NULL,
    provider   TEXT   NOT NULL,
    deployment TEXT   NOT NULL,
    vendor_id  TEXT   NOT NULL,
    created    BIGINT NOT NULL,
    expires    BIGINT NOT NULL,
    bytes      BIGINT NOT NULL
);
CREATE INDEX vendor_objects_expires ON vendor_objects (expires);
CREATE INDEX vendor_objects_listed ON vendor_objects (owner, kind, created);

-- How much is kept, so that the bound on it costs one row.
CREATE TABLE totals (
    name  TEXT   NOT NULL PRIMARY KEY,
    bytes BIGINT NOT NULL
);
INSERT INTO totals (name, bytes) VALUES ('all', 0);
