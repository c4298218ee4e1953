-- What Tipstaff keeps in the database of your RADIUS server. Run it once, as a user who may make tables there.
-- It is plain SQL that PostgreSQL and SQLite take alike. Tipstaff touches no other table.

-- The generation of the last plan: a plan made for an older state is refused.
CREATE TABLE IF NOT EXISTS tipstaff_plan (
    id integer PRIMARY KEY CHECK (id = 1),
    generation bigint NOT NULL
);

-- One row a measure. FreeRADIUS looks at `ends_at` itself: a measure ends at its time whoever is gone.
CREATE TABLE IF NOT EXISTS tipstaff_measures (
    measure varchar(15) PRIMARY KEY,
    scope varchar(7) NOT NULL,                  -- session, service, account
    subject varchar(253) NOT NULL,              -- of a session: the log-in
    station varchar(64) NOT NULL DEFAULT '',    -- of a session: the Calling-Station-Id
    verdict varchar(13) NOT NULL,               -- reject, walled_garden, rate_limit
    ends_at bigint,                             -- seconds since 1970
    fingerprint varchar(12) NOT NULL DEFAULT '',
    for_case varchar(16) NOT NULL DEFAULT '',
    digest varchar(16) NOT NULL DEFAULT ''      -- of the row: a change by hand is noticed
);
CREATE INDEX IF NOT EXISTS tipstaff_measures_subject ON tipstaff_measures (subject);

-- What a session in the walled garden, or a slow one, is given.
CREATE TABLE IF NOT EXISTS tipstaff_profile (
    verdict varchar(13) NOT NULL,
    attribute varchar(64) NOT NULL,
    op varchar(2) NOT NULL,
    value varchar(253) NOT NULL
);

-- Sessions that the access server does not know any more although nobody ever heard their Stop.
CREATE TABLE IF NOT EXISTS tipstaff_gone (
    nas varchar(45) NOT NULL,
    session varchar(64) NOT NULL,
    started varchar(40) NOT NULL
);

-- Which log-ins are behind an account or a service. Fill it, or make a view of this name on your own tables instead.
CREATE TABLE IF NOT EXISTS tipstaff_logins (
    scope varchar(7) NOT NULL,                  -- service, account
    subject varchar(253) NOT NULL,              -- its key in Tipstaff's registry
    username varchar(253) NOT NULL,
    PRIMARY KEY (username, scope, subject)
);

-- Whom each measure meets.
CREATE VIEW tipstaff_targets AS
    SELECT m.measure, m.verdict, m.ends_at, m.subject AS username, m.station,
           CASE m.verdict WHEN 'reject' THEN 3 WHEN 'walled_garden' THEN 2 ELSE 1 END AS strength
      FROM tipstaff_measures m WHERE m.scope = 'session'
    UNION ALL
    SELECT m.measure, m.verdict, m.ends_at, l.username, '',
           CASE m.verdict WHEN 'reject' THEN 3 WHEN 'walled_garden' THEN 2 ELSE 1 END
      FROM tipstaff_measures m JOIN tipstaff_logins l ON l.scope = m.scope AND l.subject = m.subject;
