-- Rollcall's snapshots in /srv/rollcall/snapshots for DuckDB:  duckdb --init FILE
-- What is sealed is read when the script is run: run it again to see what was sealed since. Data files that no
-- manifest names are never opened. Views and variables belong to the connection; nothing is written anywhere.

-- The manifests. Those that were replaced lie deeper, and are not read.
CREATE OR REPLACE TEMP TABLE sealed_manifests AS
SELECT from_json(content, '{
  "date": "DATE", "sequence": "BIGINT", "tool": "VARCHAR", "exit_code": "INTEGER", "sealed_at": "VARCHAR", "asked_from": "VARCHAR",
  "asked_until": "VARCHAR", "changes_base": "DATE", "discrepancies": "BIGINT",
  "files": [{"path": "VARCHAR", "table": "VARCHAR", "size": "BIGINT", "rows": "BIGINT", "sha256": "VARCHAR"}]
}') AS manifest
FROM read_text('/srv/rollcall/snapshots/_snapshots/*.json')
WHERE regexp_matches(filename, '[/\\][0-9]{4}-[0-9]{2}-[0-9]{2}\.json$');

-- snapshots: the dates that are sealed, and how; backdated where the vendors were asked after the date was over in UTC
CREATE OR REPLACE TEMP VIEW "snapshots" AS
SELECT
  manifest."date" AS snapshot_date, manifest.sequence, manifest.exit_code,
  CAST(nullif(manifest.sealed_at, '') AS TIMESTAMPTZ) AS sealed_at,
  CAST(nullif(manifest.asked_from, '') AS TIMESTAMPTZ) AS asked_from,
  CAST(nullif(manifest.asked_until, '') AS TIMESTAMPTZ) AS asked_until,
  manifest.changes_base, manifest.discrepancies, manifest.tool,
  coalesce(substr(manifest.asked_from, 1, 10) > CAST(manifest."date" AS VARCHAR), false) AS backdated
FROM sealed_manifests;

-- sealed_files: every data file that a sealed manifest names
CREATE OR REPLACE TEMP VIEW "sealed_files" AS
SELECT snapshot_date, f."table" AS table_name, '/srv/rollcall/snapshots/' || f.path AS path, f.size, f."rows", f.sha256
FROM (SELECT manifest."date" AS snapshot_date, unnest(manifest.files) AS f FROM sealed_manifests);

-- memberships: who is in which group, with which role, and what each view said; sealed snapshots of all dates
SET VARIABLE rollcall_memberships = (
  SELECT coalesce(list('/srv/rollcall/snapshots/' || f.path ORDER BY f.path), [])
  FROM (SELECT unnest(manifest.files) AS f FROM sealed_manifests) WHERE f."table" = 'memberships');
CREATE OR REPLACE TEMP VIEW "memberships" AS
SELECT r."source", r."group_id", r."user_id", r."role", r."role_raw", r."nickname", r."joined_at", r."extra", r."in_user_view", r."in_group_view", r."in_role_view", r."disputed", r.snapshot_date
FROM query(CASE WHEN len(getvariable('rollcall_memberships')) = 0
  THEN 'SELECT NULL::VARCHAR AS "source", NULL::VARCHAR AS "group_id", NULL::VARCHAR AS "user_id", NULL::VARCHAR AS "role", NULL::VARCHAR AS "role_raw", NULL::VARCHAR AS "nickname", NULL::TIMESTAMPTZ AS "joined_at", NULL::VARCHAR AS "extra", NULL::BOOLEAN AS "in_user_view", NULL::BOOLEAN AS "in_group_view", NULL::BOOLEAN AS "in_role_view", NULL::BOOLEAN AS "disputed", NULL::DATE AS snapshot_date WHERE false'
  ELSE 'SELECT * FROM read_parquet(getvariable(''rollcall_memberships''), hive_partitioning = true, hive_types = {''snapshot_date'': DATE})' END) AS r;

-- groups: every group asked about or named, and how complete it is; sealed snapshots of all dates
SET VARIABLE rollcall_groups = (
  SELECT coalesce(list('/srv/rollcall/snapshots/' || f.path ORDER BY f.path), [])
  FROM (SELECT unnest(manifest.files) AS f FROM sealed_manifests) WHERE f."table" = 'groups');
CREATE OR REPLACE TEMP VIEW "groups" AS
SELECT r."source", r."group_id", r."name", r."type", r."declared_members", r."collected_members", r."owners", r."admins", r."verdict", r.snapshot_date
FROM query(CASE WHEN len(getvariable('rollcall_groups')) = 0
  THEN 'SELECT NULL::VARCHAR AS "source", NULL::VARCHAR AS "group_id", NULL::VARCHAR AS "name", NULL::VARCHAR AS "type", NULL::BIGINT AS "declared_members", NULL::BIGINT AS "collected_members", NULL::BIGINT AS "owners", NULL::BIGINT AS "admins", NULL::VARCHAR AS "verdict", NULL::DATE AS snapshot_date WHERE false'
  ELSE 'SELECT * FROM read_parquet(getvariable(''rollcall_groups''), hive_partitioning = true, hive_types = {''snapshot_date'': DATE})' END) AS r;

-- users: every user asked about or named, and how complete their list is; sealed snapshots of all dates
SET VARIABLE rollcall_users = (
  SELECT coalesce(list('/srv/rollcall/snapshots/' || f.path ORDER BY f.path), [])
  FROM (SELECT unnest(manifest.files) AS f FROM sealed_manifests) WHERE f."table" = 'users');
CREATE OR REPLACE TEMP VIEW "users" AS
SELECT r."source", r."user_id", r."declared_groups", r."collected_groups", r."verdict", r.snapshot_date
FROM query(CASE WHEN len(getvariable('rollcall_users')) = 0
  THEN 'SELECT NULL::VARCHAR AS "source", NULL::VARCHAR AS "user_id", NULL::BIGINT AS "declared_groups", NULL::BIGINT AS "collected_groups", NULL::VARCHAR AS "verdict", NULL::DATE AS snapshot_date WHERE false'
  ELSE 'SELECT * FROM read_parquet(getvariable(''rollcall_users''), hive_partitioning = true, hive_types = {''snapshot_date'': DATE})' END) AS r;

-- outcomes: the ledger: what became of every key asked; sealed snapshots of all dates
SET VARIABLE rollcall_outcomes = (
  SELECT coalesce(list('/srv/rollcall/snapshots/' || f.path ORDER BY f.path), [])
  FROM (SELECT unnest(manifest.files) AS f FROM sealed_manifests) WHERE f."table" = 'outcomes');
CREATE OR REPLACE TEMP VIEW "outcomes" AS
SELECT r."source", r."data", r."key", r."outcome", r."rows", r."declared", r."requests", r."attempts", r."vendor_code", r."message", r."asked_at", r."answered_at", r.snapshot_date
FROM query(CASE WHEN len(getvariable('rollcall_outcomes')) = 0
  THEN 'SELECT NULL::VARCHAR AS "source", NULL::VARCHAR AS "data", NULL::VARCHAR AS "key", NULL::VARCHAR AS "outcome", NULL::BIGINT AS "rows", NULL::BIGINT AS "declared", NULL::BIGINT AS "requests", NULL::BIGINT AS "attempts", NULL::VARCHAR AS "vendor_code", NULL::VARCHAR AS "message", NULL::TIMESTAMPTZ AS "asked_at", NULL::TIMESTAMPTZ AS "answered_at", NULL::DATE AS snapshot_date WHERE false'
  ELSE 'SELECT * FROM read_parquet(getvariable(''rollcall_outcomes''), hive_partitioning = true, hive_types = {''snapshot_date'': DATE})' END) AS r;

-- discrepancies: where views that were read whole contradict each other; sealed snapshots of all dates
SET VARIABLE rollcall_discrepancies = (
  SELECT coalesce(list('/srv/rollcall/snapshots/' || f.path ORDER BY f.path), [])
  FROM (SELECT unnest(manifest.files) AS f FROM sealed_manifests) WHERE f."table" = 'discrepancies');
CREATE OR REPLACE TEMP VIEW "discrepancies" AS
SELECT r."source", r."group_id", r."user_id", r."kind", r."user_view", r."group_view", r."role_view", r.snapshot_date
FROM query(CASE WHEN len(getvariable('rollcall_discrepancies')) = 0
  THEN 'SELECT NULL::VARCHAR AS "source", NULL::VARCHAR AS "group_id", NULL::VARCHAR AS "user_id", NULL::VARCHAR AS "kind", NULL::VARCHAR AS "user_view", NULL::VARCHAR AS "group_view", NULL::VARCHAR AS "role_view", NULL::DATE AS snapshot_date WHERE false'
  ELSE 'SELECT * FROM read_parquet(getvariable(''rollcall_discrepancies''), hive_partitioning = true, hive_types = {''snapshot_date'': DATE})' END) AS r;

-- changes: who joined, left or changed role since the base; sealed snapshots of all dates
SET VARIABLE rollcall_changes = (
  SELECT coalesce(list('/srv/rollcall/snapshots/' || f.path ORDER BY f.path), [])
  FROM (SELECT unnest(manifest.files) AS f FROM sealed_manifests) WHERE f."table" = 'changes');
CREATE OR REPLACE TEMP VIEW "changes" AS
SELECT r."source", r."group_id", r."user_id", r."change", r."role_before", r."role_after", r."certain", r.snapshot_date
FROM query(CASE WHEN len(getvariable('rollcall_changes')) = 0
  THEN 'SELECT NULL::VARCHAR AS "source", NULL::VARCHAR AS "group_id", NULL::VARCHAR AS "user_id", NULL::VARCHAR AS "change", NULL::VARCHAR AS "role_before", NULL::VARCHAR AS "role_after", NULL::BOOLEAN AS "certain", NULL::DATE AS snapshot_date WHERE false'
  ELSE 'SELECT * FROM read_parquet(getvariable(''rollcall_changes''), hive_partitioning = true, hive_types = {''snapshot_date'': DATE})' END) AS r;

-- sources: what each vendor account was asked, and how much of its budget was used; sealed snapshots of all dates
SET VARIABLE rollcall_sources = (
  SELECT coalesce(list('/srv/rollcall/snapshots/' || f.path ORDER BY f.path), [])
  FROM (SELECT unnest(manifest.files) AS f FROM sealed_manifests) WHERE f."table" = 'sources');
CREATE OR REPLACE TEMP VIEW "sources" AS
SELECT r."source", r."type", r."app_id", r."endpoint", r."budgets", r."requests", r."retries", r."throttles", r."seconds", r."budget_share", r.snapshot_date
FROM query(CASE WHEN len(getvariable('rollcall_sources')) = 0
  THEN 'SELECT NULL::VARCHAR AS "source", NULL::VARCHAR AS "type", NULL::VARCHAR AS "app_id", NULL::VARCHAR AS "endpoint", NULL::VARCHAR AS "budgets", NULL::BIGINT AS "requests", NULL::BIGINT AS "retries", NULL::BIGINT AS "throttles", NULL::DOUBLE AS "seconds", NULL::DOUBLE AS "budget_share", NULL::DATE AS snapshot_date WHERE false'
  ELSE 'SELECT * FROM read_parquet(getvariable(''rollcall_sources''), hive_partitioning = true, hive_types = {''snapshot_date'': DATE})' END) AS r;

-- memberships_latest: memberships of the latest sealed date; without those of groups and users that are gone, whom another view may still name
CREATE OR REPLACE TEMP VIEW "memberships_latest" AS
SELECT t.*
FROM "memberships" t
LEFT JOIN (SELECT source, group_id FROM "groups" WHERE verdict = 'gone' AND snapshot_date = (SELECT max(snapshot_date) FROM "snapshots")) g
  ON g.source = t.source AND g.group_id = t.group_id
LEFT JOIN (SELECT source, user_id FROM "users" WHERE verdict = 'gone' AND snapshot_date = (SELECT max(snapshot_date) FROM "snapshots")) u
  ON u.source = t.source AND u.user_id = t.user_id
WHERE t.snapshot_date = (SELECT max(snapshot_date) FROM "snapshots") AND g.group_id IS NULL AND u.user_id IS NULL;

-- groups_latest: groups of the latest sealed date; without those that are gone
CREATE OR REPLACE TEMP VIEW "groups_latest" AS
SELECT t.*
FROM "groups" t
WHERE t.snapshot_date = (SELECT max(snapshot_date) FROM "snapshots") AND t.verdict <> 'gone';

-- users_latest: users of the latest sealed date; without those that are gone
CREATE OR REPLACE TEMP VIEW "users_latest" AS
SELECT t.*
FROM "users" t
WHERE t.snapshot_date = (SELECT max(snapshot_date) FROM "snapshots") AND t.verdict <> 'gone';

-- outcomes_latest: outcomes of the latest sealed date
CREATE OR REPLACE TEMP VIEW "outcomes_latest" AS
SELECT t.*
FROM "outcomes" t
WHERE t.snapshot_date = (SELECT max(snapshot_date) FROM "snapshots");

-- discrepancies_latest: discrepancies of the latest sealed date
CREATE OR REPLACE TEMP VIEW "discrepancies_latest" AS
SELECT t.*
FROM "discrepancies" t
WHERE t.snapshot_date = (SELECT max(snapshot_date) FROM "snapshots");

-- changes_latest: changes of the latest sealed date
CREATE OR REPLACE TEMP VIEW "changes_latest" AS
SELECT t.*
FROM "changes" t
WHERE t.snapshot_date = (SELECT max(snapshot_date) FROM "snapshots");

-- sources_latest: sources of the latest sealed date
CREATE OR REPLACE TEMP VIEW "sources_latest" AS
SELECT t.*
FROM "sources" t
WHERE t.snapshot_date = (SELECT max(snapshot_date) FROM "snapshots");

-- as_of_dates: for each day since the first snapshot, the sealed date that was the latest on that day
CREATE OR REPLACE TEMP VIEW "as_of_dates" AS
SELECT as_of_date, snapshot_date
FROM (SELECT snapshot_date, lead(snapshot_date) OVER (ORDER BY snapshot_date) AS next_date FROM "snapshots") sealed
CROSS JOIN LATERAL (SELECT CAST(unnest(generate_series(snapshot_date, coalesce(next_date - 1, greatest(snapshot_date, current_date)), INTERVAL 1 DAY)) AS DATE)) AS days (as_of_date);

-- memberships_as_of: memberships as they were known on a day; ask WHERE as_of_date = DATE '2026-11-21'
CREATE OR REPLACE TEMP VIEW "memberships_as_of" AS
SELECT d.as_of_date, t.*
FROM "memberships" t
JOIN "as_of_dates" d ON d.snapshot_date = t.snapshot_date;

-- groups_as_of: groups as they were known on a day; ask WHERE as_of_date = DATE '2026-11-21'
CREATE OR REPLACE TEMP VIEW "groups_as_of" AS
SELECT d.as_of_date, t.*
FROM "groups" t
JOIN "as_of_dates" d ON d.snapshot_date = t.snapshot_date;

-- users_as_of: users as they were known on a day; ask WHERE as_of_date = DATE '2026-11-21'
CREATE OR REPLACE TEMP VIEW "users_as_of" AS
SELECT d.as_of_date, t.*
FROM "users" t
JOIN "as_of_dates" d ON d.snapshot_date = t.snapshot_date;

-- outcomes_as_of: outcomes as they were known on a day; ask WHERE as_of_date = DATE '2026-11-21'
CREATE OR REPLACE TEMP VIEW "outcomes_as_of" AS
SELECT d.as_of_date, t.*
FROM "outcomes" t
JOIN "as_of_dates" d ON d.snapshot_date = t.snapshot_date;

-- discrepancies_as_of: discrepancies as they were known on a day; ask WHERE as_of_date = DATE '2026-11-21'
CREATE OR REPLACE TEMP VIEW "discrepancies_as_of" AS
SELECT d.as_of_date, t.*
FROM "discrepancies" t
JOIN "as_of_dates" d ON d.snapshot_date = t.snapshot_date;

-- changes_as_of: changes as they were known on a day; ask WHERE as_of_date = DATE '2026-11-21'
CREATE OR REPLACE TEMP VIEW "changes_as_of" AS
SELECT d.as_of_date, t.*
FROM "changes" t
JOIN "as_of_dates" d ON d.snapshot_date = t.snapshot_date;

-- sources_as_of: sources as they were known on a day; ask WHERE as_of_date = DATE '2026-11-21'
CREATE OR REPLACE TEMP VIEW "sources_as_of" AS
SELECT d.as_of_date, t.*
FROM "sources" t
JOIN "as_of_dates" d ON d.snapshot_date = t.snapshot_date;

-- owners_and_admins: who holds a role above member in which group, at the latest sealed date
CREATE OR REPLACE TEMP VIEW "owners_and_admins" AS
SELECT
  m.source, m.group_id, g.name AS group_name, g.type AS group_type, g.verdict AS group_verdict,
  m.role, m.user_id, m.nickname, m.joined_at, m.disputed, m.snapshot_date
FROM "memberships_latest" m
LEFT JOIN "groups_latest" g ON g.source = m.source AND g.group_id = m.group_id
WHERE m.role IN ('owner', 'admin');

-- groups_of_user: each user's groups at the latest sealed date; user_verdict says how complete the list is
CREATE OR REPLACE TEMP VIEW "groups_of_user" AS
SELECT
  m.source, m.user_id, u.verdict AS user_verdict, m.group_id, g.name AS group_name, g.type AS group_type,
  m.role, m.nickname, m.joined_at, m.disputed, m.snapshot_date
FROM "memberships_latest" m
LEFT JOIN "groups_latest" g ON g.source = m.source AND g.group_id = m.group_id
LEFT JOIN "users_latest" u ON u.source = m.source AND u.user_id = m.user_id;

-- groups_without_owner: groups that nobody owns, at the latest sealed date: read completely (its verdict is exact), with at least one member; the role of each member is known, and none is owner.
-- Whether another group has an owner can't be told, unless it has one. unknown_roles is 0 and certain true for all of them.
CREATE OR REPLACE TEMP VIEW "groups_without_owner" AS
SELECT
  g.source, g.group_id, g.name AS group_name, g.type AS group_type, g.verdict, g.collected_members AS members, g.admins,
  count(m.user_id) AS unknown_roles, count(m.user_id) = 0 AS certain, g.snapshot_date
FROM "groups_latest" g
LEFT JOIN "memberships" m ON m.snapshot_date = g.snapshot_date AND m.source = g.source AND m.group_id = g.group_id AND m.role IS NULL AND m.in_group_view
WHERE g.owners = 0 AND g.collected_members > 0 AND g.verdict IN ('exact')
GROUP BY g.source, g.group_id, g.name, g.type, g.verdict, g.collected_members, g.admins, g.snapshot_date
HAVING count(m.user_id) = 0;

-- empty_groups: groups without a member, at the latest sealed date: read completely, without a member: it counts neither as owned nor as ownerless
CREATE OR REPLACE TEMP VIEW "empty_groups" AS
SELECT source, group_id, name AS group_name, type AS group_type, snapshot_date
FROM "groups_latest"
WHERE collected_members = 0 AND verdict IN ('exact');

-- membership_history: memberships as intervals over the sealed dates. from_date is the first date at which the
-- user was seen in the group with the role, last_seen the last, to_date the first at which that was known to be
-- over: null while nobody has denied it. ended_by: left, role_changed, or role_told (no view had told the role).
-- A date at which nobody could tell ends nothing: a membership that is not there is over only where a list that had
-- named it was read whole and names it no more, or where changes says left. Tencent's communities (@TGS#_) may be left
-- out of a user's list, which denies none of them. A role that no view told at a date is taken to be the one before.
CREATE OR REPLACE TEMP VIEW "membership_history" AS
WITH group_reads AS (
  SELECT source, group_id, snapshot_date,
    min(CASE WHEN verdict IN ('exact') THEN snapshot_date END) OVER (PARTITION BY source, group_id ORDER BY snapshot_date ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS next_whole
  FROM "groups"
), user_reads AS (
  SELECT source, user_id, snapshot_date,
    min(CASE WHEN verdict IN ('exact', 'unverifiable') THEN snapshot_date END) OVER (PARTITION BY source, user_id ORDER BY snapshot_date ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS next_whole
  FROM "users"
), events AS (
  SELECT source, group_id, user_id, snapshot_date, 1 AS seen, coalesce(role, role_raw) AS role, in_group_view, in_user_view
  FROM "memberships"
  UNION ALL
  SELECT source, group_id, user_id, snapshot_date, 0 AS seen, NULL AS role, NULL AS in_group_view, NULL AS in_user_view
  FROM "changes"
  WHERE change = 'left'
), sightings AS (
  SELECT *,
    min(CASE WHEN seen = 1 THEN snapshot_date END) OVER (PARTITION BY source, group_id, user_id ORDER BY snapshot_date ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS next_seen,
    min(CASE WHEN seen = 0 THEN snapshot_date END) OVER (PARTITION BY source, group_id, user_id ORDER BY snapshot_date ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS next_left
  FROM events
), denials AS (
  SELECT s.source, s.group_id, s.user_id, s.snapshot_date, s.role, coalesce(s.next_seen, DATE '9999-12-31') AS next_seen,
    least(
      coalesce(s.next_left, DATE '9999-12-31'),
      coalesce(CASE WHEN s.in_group_view THEN g.next_whole END, DATE '9999-12-31'),
      coalesce(CASE WHEN s.in_user_view AND substr(s.group_id, 1, 6) <> '@TGS#_' THEN u.next_whole END, DATE '9999-12-31')) AS denied
  FROM sightings s
  LEFT JOIN group_reads g ON g.source = s.source AND g.group_id = s.group_id AND g.snapshot_date = s.snapshot_date
  LEFT JOIN user_reads u ON u.source = s.source AND u.user_id = s.user_id AND u.snapshot_date = s.snapshot_date
  WHERE s.seen = 1
), stays AS (
  SELECT source, group_id, user_id, snapshot_date, role, CASE WHEN denied < next_seen THEN denied END AS left_on,
    coalesce(sum(CASE WHEN denied < next_seen THEN 1 ELSE 0 END) OVER (PARTITION BY source, group_id, user_id ORDER BY snapshot_date ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS stay
  FROM denials
), told AS (
  SELECT *, count(role) OVER (PARTITION BY source, group_id, user_id, stay ORDER BY snapshot_date ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS telling
  FROM stays
), carried AS (
  SELECT source, group_id, user_id, snapshot_date, left_on, stay, telling, max(role) OVER (PARTITION BY source, group_id, user_id, stay, telling) AS role
  FROM told
), marked AS (
  SELECT *, CASE WHEN lag(telling) OVER (PARTITION BY source, group_id, user_id, stay ORDER BY snapshot_date) IS NOT NULL
    AND role IS NOT DISTINCT FROM lag(role) OVER (PARTITION BY source, group_id, user_id, stay ORDER BY snapshot_date) THEN 0 ELSE 1 END AS begins
  FROM carried
), islands AS (
  SELECT *, sum(begins) OVER (PARTITION BY source, group_id, user_id, stay ORDER BY snapshot_date ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS island
  FROM marked
), intervals AS (
  SELECT source, group_id, user_id, stay, role, min(snapshot_date) AS from_date, max(snapshot_date) AS last_seen, max(left_on) AS left_on
  FROM islands
  GROUP BY source, group_id, user_id, stay, island, role
), ends AS (
  SELECT *, lead(from_date) OVER (PARTITION BY source, group_id, user_id, stay ORDER BY from_date) AS next_role
  FROM intervals
)
SELECT source, group_id, user_id, role, from_date, coalesce(left_on, next_role) AS to_date, last_seen,
  CASE WHEN left_on IS NOT NULL THEN 'left' WHEN next_role IS NULL THEN NULL WHEN role IS NULL THEN 'role_told' ELSE 'role_changed' END AS ended_by
FROM ends;

