-- Rollcall's snapshots in s3://acme-audit/im for Amazon Athena (engine version 3).
-- Athena carries out one statement at a time; `rollcall sql athena --json` gives them as a list for scripts.
-- Partitions are projected from the date: there is no crawler, and nothing to repair after a night.
-- Query the views. The tables called raw_ see every file in the bucket, those that no manifest names too.

CREATE DATABASE IF NOT EXISTS `rollcall`;

-- memberships: who is in which group, with which role, and what each view said
CREATE EXTERNAL TABLE IF NOT EXISTS `rollcall`.`raw_memberships` (
  `source` string COMMENT 'the vendor account, its address without its kind: rongcloud.prod',
  `group_id` string COMMENT 'the vendor\'s ID of the group',
  `user_id` string COMMENT 'the vendor\'s ID of the user',
  `role` string COMMENT 'owner, admin or member, from the first view that names a role (role view, else group view, else user view); null where that view names a role of the vendor\'s own, or no view names any',
  `role_raw` string COMMENT 'that role in the vendor\'s own word, be it known or not; null where no view names a role',
  `nickname` string COMMENT 'the member\'s name in this group; null where no view gave it, or none that can be read',
  `joined_at` timestamp COMMENT 'when the user joined, as the vendor tells it; in microseconds, UTC; null where no view gave it, or none that can be read',
  `extra` string COMMENT 'the vendor\'s extension text of this membership; null where no view gave it, or none that can be read',
  `in_user_view` boolean COMMENT 'whether the user\'s own list named the group; null where that list did not, and was not asked for or not read whole',
  `in_group_view` boolean COMMENT 'whether the group\'s own list named the user; null where that list did not, and was not asked for or not read whole',
  `in_role_view` boolean COMMENT 'whether the role query called the user a member; null where it was not asked, or not answered',
  `disputed` boolean COMMENT 'true when views that were read whole contradict each other'
)
COMMENT 'who is in which group, with which role, and what each view said; files that no manifest names included, so query the view memberships'
PARTITIONED BY (`snapshot_date` date COMMENT 'the date of the snapshot')
STORED AS PARQUET
LOCATION 's3://acme-audit/im/memberships/'
TBLPROPERTIES (
  'classification' = 'parquet',
  'projection.enabled' = 'true',
  'projection.snapshot_date.type' = 'date',
  'projection.snapshot_date.format' = 'yyyy-MM-dd',
  'projection.snapshot_date.range' = '2026-01-01,NOW+1DAY',
  'projection.snapshot_date.interval' = '1',
  'projection.snapshot_date.interval.unit' = 'DAYS',
  'storage.location.template' = 's3://acme-audit/im/memberships/snapshot_date=${snapshot_date}'
);

-- groups: every group asked about or named, and how complete it is
CREATE EXTERNAL TABLE IF NOT EXISTS `rollcall`.`raw_groups` (
  `source` string COMMENT 'the vendor account',
  `group_id` string COMMENT 'the vendor\'s ID of the group',
  `name` string COMMENT 'the group\'s name; null where no view gave it, or none that can be read',
  `type` string COMMENT 'the group\'s type in the vendor\'s own word; null where no view gave it, or none that can be read',
  `declared_members` bigint COMMENT 'how many members the vendor says the group has; in members; null where the vendor gave no total of all members',
  `collected_members` bigint COMMENT 'how many members the group\'s own answers named; in members',
  `owners` bigint COMMENT 'memberships of this group with role owner; in memberships',
  `admins` bigint COMMENT 'memberships of this group with role admin; in memberships',
  `verdict` string COMMENT 'exact, drifted, short, over, unverifiable, failed, gone, unsupported or not_asked'
)
COMMENT 'every group asked about or named, and how complete it is; files that no manifest names included, so query the view groups'
PARTITIONED BY (`snapshot_date` date COMMENT 'the date of the snapshot')
STORED AS PARQUET
LOCATION 's3://acme-audit/im/groups/'
TBLPROPERTIES (
  'classification' = 'parquet',
  'projection.enabled' = 'true',
  'projection.snapshot_date.type' = 'date',
  'projection.snapshot_date.format' = 'yyyy-MM-dd',
  'projection.snapshot_date.range' = '2026-01-01,NOW+1DAY',
  'projection.snapshot_date.interval' = '1',
  'projection.snapshot_date.interval.unit' = 'DAYS',
  'storage.location.template' = 's3://acme-audit/im/groups/snapshot_date=${snapshot_date}'
);

-- users: every user asked about or named, and how complete their list is
CREATE EXTERNAL TABLE IF NOT EXISTS `rollcall`.`raw_users` (
  `source` string COMMENT 'the vendor account',
  `user_id` string COMMENT 'the vendor\'s ID of the user',
  `declared_groups` bigint COMMENT 'how many groups the vendor says the user is in; in groups; null where the vendor gave no total',
  `collected_groups` bigint COMMENT 'how many groups the user\'s own answers named; in groups',
  `verdict` string COMMENT 'as in groups'
)
COMMENT 'every user asked about or named, and how complete their list is; files that no manifest names included, so query the view users'
PARTITIONED BY (`snapshot_date` date COMMENT 'the date of the snapshot')
STORED AS PARQUET
LOCATION 's3://acme-audit/im/users/'
TBLPROPERTIES (
  'classification' = 'parquet',
  'projection.enabled' = 'true',
  'projection.snapshot_date.type' = 'date',
  'projection.snapshot_date.format' = 'yyyy-MM-dd',
  'projection.snapshot_date.range' = '2026-01-01,NOW+1DAY',
  'projection.snapshot_date.interval' = '1',
  'projection.snapshot_date.interval.unit' = 'DAYS',
  'storage.location.template' = 's3://acme-audit/im/users/snapshot_date=${snapshot_date}'
);

-- outcomes: the ledger: what became of every key asked
CREATE EXTERNAL TABLE IF NOT EXISTS `rollcall`.`raw_outcomes` (
  `source` string COMMENT 'the vendor account',
  `data` string COMMENT 'the data block that asked: rongcloud_group_members.all',
  `key` string COMMENT 'the user or group that was asked about',
  `outcome` string COMMENT 'ok, gone, unsupported, denied or failed',
  `rows` bigint COMMENT 'rows that the answer gave; in rows',
  `declared` bigint COMMENT 'the total that the vendor declared; in members or groups; null where the vendor declared none',
  `requests` bigint COMMENT 'requests sent for this key, retries included; in requests',
  `attempts` bigint COMMENT 'readings of this key, from 1; a second reading or a retry adds one; in readings',
  `vendor_code` string COMMENT 'the vendor\'s code of what went wrong; null where the vendor named none',
  `message` string COMMENT 'what went wrong, in words; null where nothing went wrong',
  `asked_at` timestamp COMMENT 'when the first request was sent; in microseconds, UTC',
  `answered_at` timestamp COMMENT 'when the last answer had been read; in microseconds, UTC'
)
COMMENT 'the ledger: what became of every key asked; files that no manifest names included, so query the view outcomes'
PARTITIONED BY (`snapshot_date` date COMMENT 'the date of the snapshot')
STORED AS PARQUET
LOCATION 's3://acme-audit/im/outcomes/'
TBLPROPERTIES (
  'classification' = 'parquet',
  'projection.enabled' = 'true',
  'projection.snapshot_date.type' = 'date',
  'projection.snapshot_date.format' = 'yyyy-MM-dd',
  'projection.snapshot_date.range' = '2026-01-01,NOW+1DAY',
  'projection.snapshot_date.interval' = '1',
  'projection.snapshot_date.interval.unit' = 'DAYS',
  'storage.location.template' = 's3://acme-audit/im/outcomes/snapshot_date=${snapshot_date}'
);

-- discrepancies: where views that were read whole contradict each other
CREATE EXTERNAL TABLE IF NOT EXISTS `rollcall`.`raw_discrepancies` (
  `source` string COMMENT 'the vendor account',
  `group_id` string COMMENT 'the group',
  `user_id` string COMMENT 'the user',
  `kind` string COMMENT 'user_view_only, group_view_only, not_member or role_conflict',
  `user_view` string COMMENT 'what the user\'s own list said: a role, listed, or absent; null where that view said nothing, or could not be read whole',
  `group_view` string COMMENT 'what the group\'s own list said; null where that view said nothing, or could not be read whole',
  `role_view` string COMMENT 'what the role query said: a role or not_member; null where that view said nothing, or could not be read whole'
)
COMMENT 'where views that were read whole contradict each other; files that no manifest names included, so query the view discrepancies'
PARTITIONED BY (`snapshot_date` date COMMENT 'the date of the snapshot')
STORED AS PARQUET
LOCATION 's3://acme-audit/im/discrepancies/'
TBLPROPERTIES (
  'classification' = 'parquet',
  'projection.enabled' = 'true',
  'projection.snapshot_date.type' = 'date',
  'projection.snapshot_date.format' = 'yyyy-MM-dd',
  'projection.snapshot_date.range' = '2026-01-01,NOW+1DAY',
  'projection.snapshot_date.interval' = '1',
  'projection.snapshot_date.interval.unit' = 'DAYS',
  'storage.location.template' = 's3://acme-audit/im/discrepancies/snapshot_date=${snapshot_date}'
);

-- changes: who joined, left or changed role since the base
CREATE EXTERNAL TABLE IF NOT EXISTS `rollcall`.`raw_changes` (
  `source` string COMMENT 'the vendor account',
  `group_id` string COMMENT 'the group',
  `user_id` string COMMENT 'the user',
  `change` string COMMENT 'joined, left or role_changed',
  `role_before` string COMMENT 'the role in the base; null where the base knew no role, or the change is joined',
  `role_after` string COMMENT 'the role now; null where no role is known now, or the change is left',
  `certain` boolean COMMENT 'whether the group or user that says so was read whole on both nights'
)
COMMENT 'who joined, left or changed role since the base; files that no manifest names included, so query the view changes'
PARTITIONED BY (`snapshot_date` date COMMENT 'the date of the snapshot')
STORED AS PARQUET
LOCATION 's3://acme-audit/im/changes/'
TBLPROPERTIES (
  'classification' = 'parquet',
  'projection.enabled' = 'true',
  'projection.snapshot_date.type' = 'date',
  'projection.snapshot_date.format' = 'yyyy-MM-dd',
  'projection.snapshot_date.range' = '2026-01-01,NOW+1DAY',
  'projection.snapshot_date.interval' = '1',
  'projection.snapshot_date.interval.unit' = 'DAYS',
  'storage.location.template' = 's3://acme-audit/im/changes/snapshot_date=${snapshot_date}'
);

-- sources: what each vendor account was asked, and how much of its budget was used
CREATE EXTERNAL TABLE IF NOT EXISTS `rollcall`.`raw_sources` (
  `source` string COMMENT 'the vendor account',
  `type` string COMMENT 'rongcloud or tencentchat',
  `app_id` string COMMENT 'the app key or SDKAppID',
  `endpoint` string COMMENT 'the address that was asked',
  `budgets` string COMMENT 'requests a second of each endpoint as JSON: {"group_members":100}; in requests a second',
  `requests` bigint COMMENT 'requests sent, retries included; the last two seconds of a killed process are not known; in requests',
  `retries` bigint COMMENT 'requests sent again after a transient fault; in requests',
  `throttles` bigint COMMENT 'throttling answers received; in answers',
  `seconds` double COMMENT 'seconds from the first request to the last answer; in seconds',
  `budget_share` double COMMENT 'share of the busiest endpoint\'s budget that was used, 0 to 1; in share of 1'
)
COMMENT 'what each vendor account was asked, and how much of its budget was used; files that no manifest names included, so query the view sources'
PARTITIONED BY (`snapshot_date` date COMMENT 'the date of the snapshot')
STORED AS PARQUET
LOCATION 's3://acme-audit/im/sources/'
TBLPROPERTIES (
  'classification' = 'parquet',
  'projection.enabled' = 'true',
  'projection.snapshot_date.type' = 'date',
  'projection.snapshot_date.format' = 'yyyy-MM-dd',
  'projection.snapshot_date.range' = '2026-01-01,NOW+1DAY',
  'projection.snapshot_date.interval' = '1',
  'projection.snapshot_date.interval.unit' = 'DAYS',
  'storage.location.template' = 's3://acme-audit/im/sources/snapshot_date=${snapshot_date}'
);

-- The manifests, one line of JSON each. Manifests that were replaced lie deeper, and Athena reads folders
-- with all that is below them: the views go by the name of the file.
CREATE EXTERNAL TABLE IF NOT EXISTS `rollcall`.`raw_manifests` (
  `date` string COMMENT 'the date of the snapshot',
  `sequence` bigint COMMENT 'place in the order of sealing, from 1',
  `tool` string COMMENT 'the version of Rollcall that sealed it',
  `exit_code` int COMMENT '0: complete for the lists given; 3: sealed, but not whole',
  `sealed_at` string COMMENT 'when it was sealed, UTC',
  `asked_from` string COMMENT 'when the first request was sent to a vendor, UTC; empty where nothing was asked',
  `asked_until` string COMMENT 'when the last answer had been read, UTC; empty where nothing was asked',
  `changes_base` string COMMENT 'the date that changes compares with; null for the first',
  `discrepancies` bigint COMMENT 'contradictions between views that were read whole',
  `files` array<struct<`path`:string,`table`:string,`size`:bigint,`rows`:bigint,`sha256`:string>> COMMENT 'every data file of the snapshot'
)
COMMENT 'what is sealed, and what was replaced'
ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'
LOCATION 's3://acme-audit/im/_snapshots/';

-- snapshots: the dates that are sealed, and how; backdated where the vendors were asked after the date was over in UTC
CREATE OR REPLACE VIEW "rollcall"."snapshots" AS
SELECT
  CAST(m."date" AS date) AS snapshot_date, m.sequence, m.exit_code,
  CAST(from_iso8601_timestamp(nullif(m.sealed_at, '')) AS timestamp) AS sealed_at,
  CAST(from_iso8601_timestamp(nullif(m.asked_from, '')) AS timestamp) AS asked_from,
  CAST(from_iso8601_timestamp(nullif(m.asked_until, '')) AS timestamp) AS asked_until,
  CAST(m.changes_base AS date) AS changes_base, m.discrepancies, m.tool,
  coalesce(substr(m.asked_from, 1, 10) > m."date", false) AS backdated
FROM "rollcall"."raw_manifests" m
WHERE regexp_like(m."$path", '/_snapshots/[0-9]{4}-[0-9]{2}-[0-9]{2}\.json$');

-- sealed_files: every data file that a sealed manifest names
CREATE OR REPLACE VIEW "rollcall"."sealed_files" AS
SELECT CAST(m."date" AS date) AS snapshot_date, f."table" AS table_name, 's3://acme-audit/im/' || f.path AS path, f.size, f."rows", f.sha256
FROM "rollcall"."raw_manifests" m
CROSS JOIN UNNEST(m.files) AS f (path, "table", size, "rows", sha256)
WHERE regexp_like(m."$path", '/_snapshots/[0-9]{4}-[0-9]{2}-[0-9]{2}\.json$');

-- memberships: who is in which group, with which role, and what each view said; sealed snapshots of all dates
CREATE OR REPLACE VIEW "rollcall"."memberships" AS
SELECT r."source", r."group_id", r."user_id", r."role", r."role_raw", r."nickname", r."joined_at", r."extra", r."in_user_view", r."in_group_view", r."in_role_view", r."disputed", r."snapshot_date"
FROM "rollcall"."raw_memberships" r
JOIN "rollcall"."sealed_files" f ON f.path = r."$path" AND f.snapshot_date = r."snapshot_date" AND f.table_name = 'memberships';

-- groups: every group asked about or named, and how complete it is; sealed snapshots of all dates
CREATE OR REPLACE VIEW "rollcall"."groups" AS
SELECT r."source", r."group_id", r."name", r."type", r."declared_members", r."collected_members", r."owners", r."admins", r."verdict", r."snapshot_date"
FROM "rollcall"."raw_groups" r
JOIN "rollcall"."sealed_files" f ON f.path = r."$path" AND f.snapshot_date = r."snapshot_date" AND f.table_name = 'groups';

-- users: every user asked about or named, and how complete their list is; sealed snapshots of all dates
CREATE OR REPLACE VIEW "rollcall"."users" AS
SELECT r."source", r."user_id", r."declared_groups", r."collected_groups", r."verdict", r."snapshot_date"
FROM "rollcall"."raw_users" r
JOIN "rollcall"."sealed_files" f ON f.path = r."$path" AND f.snapshot_date = r."snapshot_date" AND f.table_name = 'users';

-- outcomes: the ledger: what became of every key asked; sealed snapshots of all dates
CREATE OR REPLACE VIEW "rollcall"."outcomes" AS
SELECT r."source", r."data", r."key", r."outcome", r."rows", r."declared", r."requests", r."attempts", r."vendor_code", r."message", r."asked_at", r."answered_at", r."snapshot_date"
FROM "rollcall"."raw_outcomes" r
JOIN "rollcall"."sealed_files" f ON f.path = r."$path" AND f.snapshot_date = r."snapshot_date" AND f.table_name = 'outcomes';

-- discrepancies: where views that were read whole contradict each other; sealed snapshots of all dates
CREATE OR REPLACE VIEW "rollcall"."discrepancies" AS
SELECT r."source", r."group_id", r."user_id", r."kind", r."user_view", r."group_view", r."role_view", r."snapshot_date"
FROM "rollcall"."raw_discrepancies" r
JOIN "rollcall"."sealed_files" f ON f.path = r."$path" AND f.snapshot_date = r."snapshot_date" AND f.table_name = 'discrepancies';

-- changes: who joined, left or changed role since the base; sealed snapshots of all dates
CREATE OR REPLACE VIEW "rollcall"."changes" AS
SELECT r."source", r."group_id", r."user_id", r."change", r."role_before", r."role_after", r."certain", r."snapshot_date"
FROM "rollcall"."raw_changes" r
JOIN "rollcall"."sealed_files" f ON f.path = r."$path" AND f.snapshot_date = r."snapshot_date" AND f.table_name = 'changes';

-- sources: what each vendor account was asked, and how much of its budget was used; sealed snapshots of all dates
CREATE OR REPLACE VIEW "rollcall"."sources" AS
SELECT r."source", r."type", r."app_id", r."endpoint", r."budgets", r."requests", r."retries", r."throttles", r."seconds", r."budget_share", r."snapshot_date"
FROM "rollcall"."raw_sources" r
JOIN "rollcall"."sealed_files" f ON f.path = r."$path" AND f.snapshot_date = r."snapshot_date" AND f.table_name = 'sources';

-- memberships_latest: memberships of the latest sealed date; without those of groups and users that are gone, whom another view may still name
CREATE OR REPLACE VIEW "rollcall"."memberships_latest" AS
SELECT t.*
FROM "rollcall"."memberships" t
LEFT JOIN (SELECT source, group_id FROM "rollcall"."groups" WHERE verdict = 'gone' AND snapshot_date = (SELECT max(snapshot_date) FROM "rollcall"."snapshots")) g
  ON g.source = t.source AND g.group_id = t.group_id
LEFT JOIN (SELECT source, user_id FROM "rollcall"."users" WHERE verdict = 'gone' AND snapshot_date = (SELECT max(snapshot_date) FROM "rollcall"."snapshots")) u
  ON u.source = t.source AND u.user_id = t.user_id
WHERE t.snapshot_date = (SELECT max(snapshot_date) FROM "rollcall"."snapshots") AND g.group_id IS NULL AND u.user_id IS NULL;

-- groups_latest: groups of the latest sealed date; without those that are gone
CREATE OR REPLACE VIEW "rollcall"."groups_latest" AS
SELECT t.*
FROM "rollcall"."groups" t
WHERE t.snapshot_date = (SELECT max(snapshot_date) FROM "rollcall"."snapshots") AND t.verdict <> 'gone';

-- users_latest: users of the latest sealed date; without those that are gone
CREATE OR REPLACE VIEW "rollcall"."users_latest" AS
SELECT t.*
FROM "rollcall"."users" t
WHERE t.snapshot_date = (SELECT max(snapshot_date) FROM "rollcall"."snapshots") AND t.verdict <> 'gone';

-- outcomes_latest: outcomes of the latest sealed date
CREATE OR REPLACE VIEW "rollcall"."outcomes_latest" AS
SELECT t.*
FROM "rollcall"."outcomes" t
WHERE t.snapshot_date = (SELECT max(snapshot_date) FROM "rollcall"."snapshots");

-- discrepancies_latest: discrepancies of the latest sealed date
CREATE OR REPLACE VIEW "rollcall"."discrepancies_latest" AS
SELECT t.*
FROM "rollcall"."discrepancies" t
WHERE t.snapshot_date = (SELECT max(snapshot_date) FROM "rollcall"."snapshots");

-- changes_latest: changes of the latest sealed date
CREATE OR REPLACE VIEW "rollcall"."changes_latest" AS
SELECT t.*
FROM "rollcall"."changes" t
WHERE t.snapshot_date = (SELECT max(snapshot_date) FROM "rollcall"."snapshots");

-- sources_latest: sources of the latest sealed date
CREATE OR REPLACE VIEW "rollcall"."sources_latest" AS
SELECT t.*
FROM "rollcall"."sources" t
WHERE t.snapshot_date = (SELECT max(snapshot_date) FROM "rollcall"."snapshots");

-- as_of_dates: for each day since the first snapshot, the sealed date that was the latest on that day
CREATE OR REPLACE VIEW "rollcall"."as_of_dates" AS
SELECT as_of_date, snapshot_date
FROM (SELECT snapshot_date, lead(snapshot_date) OVER (ORDER BY snapshot_date) AS next_date FROM "rollcall"."snapshots") sealed
CROSS JOIN UNNEST(sequence(snapshot_date, coalesce(date_add('day', -1, next_date), greatest(snapshot_date, current_date)))) AS days (as_of_date);

-- memberships_as_of: memberships as they were known on a day; ask WHERE as_of_date = DATE '2026-11-21'
CREATE OR REPLACE VIEW "rollcall"."memberships_as_of" AS
SELECT d.as_of_date, t.*
FROM "rollcall"."memberships" t
JOIN "rollcall"."as_of_dates" d ON d.snapshot_date = t.snapshot_date;

-- groups_as_of: groups as they were known on a day; ask WHERE as_of_date = DATE '2026-11-21'
CREATE OR REPLACE VIEW "rollcall"."groups_as_of" AS
SELECT d.as_of_date, t.*
FROM "rollcall"."groups" t
JOIN "rollcall"."as_of_dates" d ON d.snapshot_date = t.snapshot_date;

-- users_as_of: users as they were known on a day; ask WHERE as_of_date = DATE '2026-11-21'
CREATE OR REPLACE VIEW "rollcall"."users_as_of" AS
SELECT d.as_of_date, t.*
FROM "rollcall"."users" t
JOIN "rollcall"."as_of_dates" d ON d.snapshot_date = t.snapshot_date;

-- outcomes_as_of: outcomes as they were known on a day; ask WHERE as_of_date = DATE '2026-11-21'
CREATE OR REPLACE VIEW "rollcall"."outcomes_as_of" AS
SELECT d.as_of_date, t.*
FROM "rollcall"."outcomes" t
JOIN "rollcall"."as_of_dates" d ON d.snapshot_date = t.snapshot_date;

-- discrepancies_as_of: discrepancies as they were known on a day; ask WHERE as_of_date = DATE '2026-11-21'
CREATE OR REPLACE VIEW "rollcall"."discrepancies_as_of" AS
SELECT d.as_of_date, t.*
FROM "rollcall"."discrepancies" t
JOIN "rollcall"."as_of_dates" d ON d.snapshot_date = t.snapshot_date;

-- changes_as_of: changes as they were known on a day; ask WHERE as_of_date = DATE '2026-11-21'
CREATE OR REPLACE VIEW "rollcall"."changes_as_of" AS
SELECT d.as_of_date, t.*
FROM "rollcall"."changes" t
JOIN "rollcall"."as_of_dates" d ON d.snapshot_date = t.snapshot_date;

-- sources_as_of: sources as they were known on a day; ask WHERE as_of_date = DATE '2026-11-21'
CREATE OR REPLACE VIEW "rollcall"."sources_as_of" AS
SELECT d.as_of_date, t.*
FROM "rollcall"."sources" t
JOIN "rollcall"."as_of_dates" d ON d.snapshot_date = t.snapshot_date;

-- owners_and_admins: who holds a role above member in which group, at the latest sealed date
CREATE OR REPLACE VIEW "rollcall"."owners_and_admins" AS
SELECT
  m.source, m.group_id, g.name AS group_name, g.type AS group_type, g.verdict AS group_verdict,
  m.role, m.user_id, m.nickname, m.joined_at, m.disputed, m.snapshot_date
FROM "rollcall"."memberships_latest" m
LEFT JOIN "rollcall"."groups_latest" g ON g.source = m.source AND g.group_id = m.group_id
WHERE m.role IN ('owner', 'admin');

-- groups_of_user: each user's groups at the latest sealed date; user_verdict says how complete the list is
CREATE OR REPLACE VIEW "rollcall"."groups_of_user" AS
SELECT
  m.source, m.user_id, u.verdict AS user_verdict, m.group_id, g.name AS group_name, g.type AS group_type,
  m.role, m.nickname, m.joined_at, m.disputed, m.snapshot_date
FROM "rollcall"."memberships_latest" m
LEFT JOIN "rollcall"."groups_latest" g ON g.source = m.source AND g.group_id = m.group_id
LEFT JOIN "rollcall"."users_latest" u ON u.source = m.source AND u.user_id = m.user_id;

-- groups_without_owner: groups that nobody owns, at the latest sealed date: read completely (its verdict is exact), with at least one member; the role of each member is known, and none is owner.
-- Whether another group has an owner can't be told, unless it has one. unknown_roles is 0 and certain true for all of them.
CREATE OR REPLACE VIEW "rollcall"."groups_without_owner" AS
SELECT
  g.source, g.group_id, g.name AS group_name, g.type AS group_type, g.verdict, g.collected_members AS members, g.admins,
  count(m.user_id) AS unknown_roles, count(m.user_id) = 0 AS certain, g.snapshot_date
FROM "rollcall"."groups_latest" g
LEFT JOIN "rollcall"."memberships" m ON m.snapshot_date = g.snapshot_date AND m.source = g.source AND m.group_id = g.group_id AND m.role IS NULL AND m.in_group_view
WHERE g.owners = 0 AND g.collected_members > 0 AND g.verdict IN ('exact')
GROUP BY g.source, g.group_id, g.name, g.type, g.verdict, g.collected_members, g.admins, g.snapshot_date
HAVING count(m.user_id) = 0;

-- empty_groups: groups without a member, at the latest sealed date: read completely, without a member: it counts neither as owned nor as ownerless
CREATE OR REPLACE VIEW "rollcall"."empty_groups" AS
SELECT source, group_id, name AS group_name, type AS group_type, snapshot_date
FROM "rollcall"."groups_latest"
WHERE collected_members = 0 AND verdict IN ('exact');

-- membership_history: memberships as intervals over the sealed dates. from_date is the first date at which the
-- user was seen in the group with the role, last_seen the last, to_date the first at which that was known to be
-- over: null while nobody has denied it. ended_by: left, role_changed, or role_told (no view had told the role).
-- A date at which nobody could tell ends nothing: a membership that is not there is over only where a list that had
-- named it was read whole and names it no more, or where changes says left. Tencent's communities (@TGS#_) may be left
-- out of a user's list, which denies none of them. A role that no view told at a date is taken to be the one before.
CREATE OR REPLACE VIEW "rollcall"."membership_history" AS
WITH group_reads AS (
  SELECT source, group_id, snapshot_date,
    min(CASE WHEN verdict IN ('exact') THEN snapshot_date END) OVER (PARTITION BY source, group_id ORDER BY snapshot_date ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS next_whole
  FROM "rollcall"."groups"
), user_reads AS (
  SELECT source, user_id, snapshot_date,
    min(CASE WHEN verdict IN ('exact', 'unverifiable') THEN snapshot_date END) OVER (PARTITION BY source, user_id ORDER BY snapshot_date ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS next_whole
  FROM "rollcall"."users"
), events AS (
  SELECT source, group_id, user_id, snapshot_date, 1 AS seen, coalesce(role, role_raw) AS role, in_group_view, in_user_view
  FROM "rollcall"."memberships"
  UNION ALL
  SELECT source, group_id, user_id, snapshot_date, 0 AS seen, NULL AS role, NULL AS in_group_view, NULL AS in_user_view
  FROM "rollcall"."changes"
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

