-- The embedded store. One process has it open; time is in seconds since 1970.

CREATE TABLE session (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    expires_at  REAL NOT NULL,
    draining    INTEGER NOT NULL DEFAULT 0
);

-- served is a bot's virtual time; ready counts its conversations that are ready and not parked. 0 is no limit.
CREATE TABLE bot (
    id          INTEGER PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE,
    replies     INTEGER NOT NULL DEFAULT 0,
    per_person  INTEGER NOT NULL DEFAULT 0,
    served      INTEGER NOT NULL DEFAULT 0,
    ready       INTEGER NOT NULL DEFAULT 0
);

-- ready_order is set exactly while a conversation is ready, and rises with the time it became so. A ready one whose
-- person is at the limit is parked when its turn would have come, so that nobody looks at it again until one of that
-- person's turns ends. person is whose turn runs, or would. active_at is when a message was last admitted; agent is
-- the one that it was bound to, or empty.
CREATE TABLE conversation (
    id               INTEGER PRIMARY KEY,
    key              TEXT NOT NULL UNIQUE,
    bot              INTEGER NOT NULL,
    person           TEXT NOT NULL DEFAULT '',
    queued           INTEGER NOT NULL DEFAULT 0,
    next_seq         INTEGER NOT NULL DEFAULT 1,
    epoch            INTEGER NOT NULL DEFAULT 0,
    completed_epoch  INTEGER NOT NULL DEFAULT 0,
    owner            INTEGER,
    ready_order      INTEGER,
    parked           INTEGER NOT NULL DEFAULT 0,
    due_at           REAL,
    last_send_at     REAL,
    active_at        REAL NOT NULL,
    agent            TEXT NOT NULL DEFAULT '',
    told_full        INTEGER NOT NULL DEFAULT 0,
    stopped          INTEGER NOT NULL DEFAULT 0,
    strays           TEXT NOT NULL DEFAULT ''
);
CREATE INDEX conversation_ready ON conversation (bot, parked, ready_order) WHERE ready_order IS NOT NULL;
CREATE INDEX conversation_parked ON conversation (person, ready_order) WHERE parked = 1;
CREATE INDEX conversation_due ON conversation (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX conversation_owner ON conversation (owner) WHERE owner IS NOT NULL;
CREATE INDEX conversation_person ON conversation (person) WHERE owner IS NOT NULL;
CREATE INDEX conversation_active ON conversation (bot, active_at);

-- The head of a conversation's queue is its turn with the smallest seq. message holds a line for each message,
-- and of a command the only one.
CREATE TABLE turn (
    conversation  INTEGER NOT NULL,
    seq           INTEGER NOT NULL,
    id            TEXT NOT NULL,
    person        TEXT NOT NULL,
    message       BLOB NOT NULL,
    messages      INTEGER NOT NULL DEFAULT 1,
    command       INTEGER NOT NULL DEFAULT 0,
    admitted_at   REAL NOT NULL,
    refusal       TEXT,
    attempt       INTEGER NOT NULL DEFAULT 0,
    crashes       INTEGER NOT NULL DEFAULT 0,
    failures      INTEGER NOT NULL DEFAULT 0,
    delivery      BLOB,
    PRIMARY KEY (conversation, seq)
) WITHOUT ROWID;

-- conversation is where a message was put; NULL for what is no message. Events of a turn are found by it.
CREATE TABLE seen (
    turn          TEXT PRIMARY KEY,
    at            REAL NOT NULL,
    conversation  INTEGER
) WITHOUT ROWID;
CREATE INDEX seen_at ON seen (at);

-- A conversation's seqs have no gaps.
CREATE TABLE said (
    conversation  INTEGER NOT NULL,
    seq           INTEGER NOT NULL,
    turn          TEXT NOT NULL,
    person        TEXT NOT NULL,
    at            REAL NOT NULL,
    question      TEXT NOT NULL,
    answer        TEXT NOT NULL,
    PRIMARY KEY (conversation, seq)
) WITHOUT ROWID;
CREATE INDEX said_person ON said (person);
CREATE INDEX said_at ON said (at);

CREATE TABLE event (
    position      INTEGER PRIMARY KEY AUTOINCREMENT,
    at            REAL NOT NULL,
    kind          TEXT NOT NULL,
    conversation  INTEGER NOT NULL,
    turn          TEXT NOT NULL,
    detail        TEXT NOT NULL
);
CREATE INDEX event_conversation ON event (conversation);

CREATE TABLE dead_letter (
    id            INTEGER PRIMARY KEY,
    turn          TEXT NOT NULL,
    conversation  INTEGER NOT NULL,
    person        TEXT NOT NULL,
    message       BLOB NOT NULL,
    reason        TEXT NOT NULL,
    at            REAL NOT NULL
);
CREATE INDEX dead_letter_conversation ON dead_letter (conversation);

-- Completed turns that can be repaired. strays holds a ref on each line.
CREATE TABLE repair (
    turn         TEXT PRIMARY KEY,
    message      BLOB NOT NULL,
    admitted_at  REAL NOT NULL,
    attempt      INTEGER NOT NULL,
    delivery     BLOB NOT NULL,
    strays       TEXT NOT NULL,
    due_at       REAL,
    until        REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX repair_due ON repair (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE audit (
    position  INTEGER PRIMARY KEY AUTOINCREMENT,
    at        REAL NOT NULL,
    who       TEXT NOT NULL,
    action    TEXT NOT NULL,
    target    TEXT NOT NULL,
    detail    TEXT NOT NULL
);

CREATE TABLE record (
    kind      TEXT NOT NULL,
    id        TEXT NOT NULL,
    document  BLOB NOT NULL,
    version   INTEGER NOT NULL,
    revision  INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
) WITHOUT ROWID;

CREATE TABLE counter (
    name   TEXT PRIMARY KEY,
    value  INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO counter VALUES ('ready', 0);
