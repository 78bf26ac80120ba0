/* statements.h - every statement of the store, prepared when it is opened.
 *
 * READ statements exist on all connections, WRITE statements on the writer's only. */
#ifndef REDRESS_STORE_STATEMENTS_H
#define REDRESS_STORE_STATEMENTS_H

#define BUDGET_COLUMNS                                                                   \
    "id, market, issue, segment, channel, scope_currency, currency, period, time_zone,"  \
    " pacing, limit_minor, held_minor, spent_minor, unfunded_minor, expected_cases,"     \
    " case_count, shadow_price, period_starts_at_us, period_ends_at_us, created_at_us, " \
    "updated_at_us, revision, ended_minor, returned_minor"

/* The hash before this one is stored once, in the row before. */
#define ENTRY_SELECT                                                                     \
    "SELECT e.seq, e.decision_id, e.budget_id, e.kind, e.amount, e.balance_after,"       \
    " e.created_at_us, e.note, p.hash, e.hash"                                           \
    " FROM entries e LEFT JOIN entries p ON p.seq = e.seq - 1"

#define AUDIT_SELECT                                                                     \
    "SELECT e.seq, e.created_at_us, e.actor, e.action, e.subject, e.detail, p.hash,"     \
    " e.hash FROM audit e LEFT JOIN audit p ON p.seq = e.seq - 1"

#define DECISION_COLUMNS                                                                 \
    "d.number, d.id, d.parent_id, d.answer_number, d.created_at_us, d.updated_at_us,"    \
    " d.hold_expires_at_us, d.outcome, d.mode, d.status, d.amount, d.goodwill,"          \
    " d.settled_amount, d.currency, d.customer_id, d.order_id, d.case_id, d.issue,"      \
    " d.external_ref, a.body, " DECISION_INTACT                                          \
    " AND (d.answer_number IS NULL OR " ANSWER_INTACT ")"
/* All columns of a row but its digest, which is made of them in this order (digest.c).
 * What an update changes is handed in. */
#define ANSWER_COLUMNS                                                                   \
    "scope_key, request_hash, http_status, body, revision, location, created_at_us"
#define ANSWER_INTACT                                                                    \
    "a.digest IS row_digest(a.scope_key, a.request_hash, a.http_status, a.body,"         \
    " a.revision, a.location, a.created_at_us)"
#define DECISION_DIGEST(updated_at_us, status, goodwill, settled_amount, external_ref)   \
    "row_digest(d.id, d.parent_id, d.answer_number, d.created_at_us, " updated_at_us     \
    ", d.hold_expires_at_us, d.outcome, d.mode, " status ", d.amount, " goodwill         \
    ", " settled_amount ", d.currency, d.customer_id, d.order_id, d.case_id, d.issue,"   \
    " " external_ref ", d.context)"
#define DECISION_INTACT                                                                  \
    "d.digest IS " DECISION_DIGEST("d.updated_at_us", "d.status", "d.goodwill",          \
                                   "d.settled_amount", "d.external_ref")
#define BUDGET_DIGEST(updated_at_us, removed_at_us)                                      \
    "row_digest(id, market, issue, segment, channel, scope_currency, currency, period,"  \
    " time_zone, pacing, limit_minor, held_minor, spent_minor, unfunded_minor,"          \
    " expected_cases, case_count, shadow_price, period_starts_at_us, period_ends_at_us," \
    " created_at_us, " updated_at_us                                                     \
    ", revision, ended_minor, returned_minor, " removed_at_us ")"
#define BUDGET_INTACT "digest IS " BUDGET_DIGEST("updated_at_us", "removed_at_us")
#define VERSION_DIGEST(is_deleted)                                                       \
    "row_digest(name, version, sha256, bytes, created_at_us, created_by, " is_deleted    \
    ", manifest)"
#define VERSION_INTACT  "digest IS " VERSION_DIGEST("is_deleted")
#define INTACT(columns) "digest IS row_digest(" columns ")"
#define FILE_COLUMNS    "model_name, version, name, content"
#define CELL_COLUMNS    "hash, market, issue, segment, channel, currency"
#define CURVE_COLUMNS   "slot, cell, content"
#define OUTCOME_COLUMNS "decision_number, metric, value, occurred_at_us, created_at_us"

/* Arguments in order, then the digest of them. */
#define VALUES_2         "?1, ?2"
#define VALUES_3         VALUES_2 ", ?3"
#define VALUES_4         VALUES_3 ", ?4"
#define VALUES_5         VALUES_4 ", ?5"
#define VALUES_6         VALUES_5 ", ?6"
#define VALUES_7         VALUES_6 ", ?7"
#define VALUES_19        VALUES_7 ", ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19"
#define VALUES_24        VALUES_19 ", ?20, ?21, ?22, ?23, ?24"
#define DIGESTED(values) " VALUES (" values ", row_digest(" values "))"

#define DECISION_TABLES                                                                  \
    " FROM decisions d LEFT JOIN answers a ON a.number = d.answer_number"

/* One page of decisions. ?1 customer or order, ?2 outcome or -1, ?3 and ?4 the time span,
 * ?5 and ?6 time and number of the row to go on from, ?7 customer or NULL, ?8 how
 * many. */
#define DECISION_PAGE(scope, compare, direction)                                         \
    "SELECT " DECISION_COLUMNS DECISION_TABLES " WHERE " scope                           \
    " AND (?2 < 0 OR d.outcome = ?2)"                                                    \
    " AND (?7 IS NULL OR d.customer_id = ?7)"                                            \
    " AND d.created_at_us > ?3 AND d.created_at_us < ?4"                                 \
    " AND (d.created_at_us, d.number) " compare " (?5, ?6)"                              \
    " ORDER BY d.created_at_us " direction ", d.number " direction " LIMIT ?8"

/* The same of everybody: ?1 and ?2 the rows between which they are. */
#define DECISION_PAGE_ALL(direction)                                                     \
    "SELECT " DECISION_COLUMNS DECISION_TABLES " WHERE d.number > ?1 AND d.number < ?2"  \
    " AND (?3 < 0 OR d.outcome = ?3)"                                                    \
    " AND d.created_at_us > ?4 AND d.created_at_us < ?5"                                 \
    " ORDER BY d.number " direction " LIMIT ?6"

/* The rows between which a span of time lies, from an index alone: the plus keeps SQLite
 * from walking through the rows themselves. Before a moment that is not long ago comes
 * one of the newest rows. */
#define DECISION_FIRST_SINCE                                                             \
    "SELECT coalesce(min(+number), 0x7fffffffffffffff) FROM decisions WHERE id > ?1"
#define DECISION_LAST_BEFORE                                                             \
    "SELECT coalesce((SELECT number FROM (SELECT number, created_at_us FROM decisions"   \
    " ORDER BY number DESC LIMIT 1000) WHERE created_at_us < ?1"                         \
    " ORDER BY number DESC LIMIT 1),"                                                    \
    " (SELECT max(+number) FROM decisions INDEXED BY decisions_customer"                 \
    " WHERE created_at_us < ?1), 0)"

#define VERSION_COLUMNS                                                                  \
    "name, version, sha256, bytes, created_at_us, created_by, is_deleted"
#define POLICY_COLUMNS "id, revision, created_at_us, created_by, reason, document"
#define MOVE_COLUMNS   "name, alias, version, moved_at_us, moved_by, reason"
#define KEY_COLUMNS    "id, name, scopes, hash, created_at_us, expires_at_us, revoked_at_us"

/* So many rows of a table beyond one, whether each is as it was written, whether it is
 * found by its key, and whether all is there that it refers to. */
#define CHECK_ROWS(table, number, intact) CHECK_ROWS_ALL(table, number, intact, "1", "1")
#define CHECK_ROWS_ALL(table, number, intact, is_found, is_linked)                       \
    "SELECT " number ", " intact ", " is_found ", " is_linked " FROM " table             \
    " WHERE " number " > ?1 ORDER BY " number " LIMIT ?2"
#define ANSWER_FOUND                                                                     \
    "a.scope_key IS NULL OR"                                                             \
    " (SELECT number FROM answers WHERE scope_key = a.scope_key) IS a.number"
#define DECISION_FOUND "(SELECT number FROM decisions WHERE id = d.id) IS d.number"
#define OUTCOME_FOUND                                                                    \
    "(SELECT number FROM outcomes WHERE decision_number = o.decision_number"             \
    " AND metric = o.metric AND occurred_at_us = o.occurred_at_us) IS o.number"

/* Whether what a row refers to is there. */
#define DECISION_LINKED                                                                  \
    "(d.answer_number IS NULL OR"                                                        \
    " EXISTS (SELECT 1 FROM answers WHERE number = d.answer_number))"                    \
    " AND (d.parent_id IS NULL OR"                                                       \
    " EXISTS (SELECT 1 FROM decisions WHERE id = d.parent_id))"
#define OUTCOME_LINKED "EXISTS (SELECT 1 FROM decisions WHERE number = o.decision_number)"
#define FILE_LINKED                                                                      \
    "EXISTS (SELECT 1 FROM model_versions"                                               \
    " WHERE name = f.model_name AND version = f.version)"
#define MOVE_LINKED                                                                      \
    "m.version IS NULL OR EXISTS (SELECT 1 FROM model_versions"                          \
    " WHERE name = m.name AND version = m.version)"
#define CURVE_LINKED "EXISTS (SELECT 1 FROM traffic_cells WHERE hash = c.cell)"

/* Sums in one currency, exact up to the largest amount there is, and no more than that:
 * sum() would fail beyond 64 bits. */
#define AMOUNT_SUM(condition, amount)                                                    \
    "cast(min(total(iif(" condition ", " amount ", 0)), 9007199254740991.0) AS INTEGER)"
#define GOODWILL_SUM AMOUNT_SUM("currency = ?3 AND status IN (0, 1)", "goodwill")
#define RECEIVED_SUM                                                                     \
    AMOUNT_SUM("currency = ?2 AND status IN (0, 1)",                                     \
               "iif(status = 1, settled_amount, amount)")

#define STORE_STATEMENTS(X)                                                              \
    /* Transactions. */                                                                  \
    X(BEGIN_WRITE, WRITE, "BEGIN IMMEDIATE")                                             \
    X(BEGIN_READ, READ, "BEGIN")                                                         \
    X(COMMIT, READ, "COMMIT")                                                            \
    X(ROLLBACK, READ, "ROLLBACK")                                                        \
                                                                                         \
    /* Answers and decisions. */                                                         \
    X(ANSWER_FIND, READ,                                                                 \
      "SELECT number, " ANSWER_COLUMNS ", " ANSWER_INTACT " FROM answers a"              \
      " WHERE scope_key = ?1")                                                           \
    X(ANSWER_INSERT, WRITE,                                                              \
      "INSERT INTO answers (" ANSWER_COLUMNS ", digest) VALUES (" VALUES_7 ", ?8)")      \
    X(DECISION_INSERT, WRITE,                                                            \
      "INSERT INTO decisions (id, parent_id, answer_number, created_at_us,"              \
      " updated_at_us, hold_expires_at_us, outcome, mode, status, amount, goodwill,"     \
      " settled_amount, currency, customer_id, order_id, case_id, issue, external_ref,"  \
      " context, digest) VALUES (" VALUES_19 ", ?20)")                                   \
    X(DECISION_UPDATE, WRITE,                                                            \
      "UPDATE decisions AS d SET status = ?2, settled_amount = ?3, goodwill = ?4,"       \
      " external_ref = ?5, updated_at_us = ?6,"                                          \
      " digest = " DECISION_DIGEST("?6", "?2", "?4", "?3", "?5") " WHERE id = ?1")       \
    X(DECISION_FIND, READ,                                                               \
      "SELECT " DECISION_COLUMNS ", d.context" DECISION_TABLES " WHERE d.id = ?1")       \
    X(DECISION_FIND_BRIEF, READ,                                                         \
      "SELECT d.number, d.id, d.parent_id, d.answer_number, d.created_at_us,"            \
      " d.updated_at_us, d.hold_expires_at_us, d.outcome, d.mode, d.status, d.amount,"   \
      " d.goodwill, d.settled_amount, d.currency, d.customer_id, d.order_id, d.case_id," \
      " d.issue, d.external_ref, NULL, " DECISION_INTACT                                 \
      " FROM decisions d WHERE d.id = ?1")                                               \
    X(DECISION_PLACE, READ, "SELECT created_at_us, number FROM decisions WHERE id = ?1") \
    X(DECISION_FIRST_SINCE, READ, DECISION_FIRST_SINCE)                                  \
    X(DECISION_LAST_BEFORE, READ, DECISION_LAST_BEFORE)                                  \
    X(DECISION_PAGE_ALL_UP, READ, DECISION_PAGE_ALL("ASC"))                              \
    X(DECISION_PAGE_ALL_DOWN, READ, DECISION_PAGE_ALL("DESC"))                           \
    X(DECISION_PAGE_CUSTOMER_UP, READ, DECISION_PAGE("d.customer_id = ?1", ">", "ASC"))  \
    X(DECISION_PAGE_CUSTOMER_DOWN, READ,                                                 \
      DECISION_PAGE("d.customer_id = ?1", "<", "DESC"))                                  \
    X(DECISION_PAGE_ORDER_UP, READ, DECISION_PAGE("d.order_id = ?1", ">", "ASC"))        \
    X(DECISION_PAGE_ORDER_DOWN, READ, DECISION_PAGE("d.order_id = ?1", "<", "DESC"))     \
    X(DECISION_USAGE, READ,                                                              \
      "SELECT count(*), total(status IN (0, 1) AND goodwill > 0), " GOODWILL_SUM         \
      " FROM (SELECT status, goodwill, currency FROM decisions"                          \
      " WHERE customer_id = ?1 AND created_at_us >= ?2 LIMIT ?4)")                       \
    X(DECISION_ORDER_PAST, READ,                                                         \
      "SELECT count(*), " RECEIVED_SUM ", total(status IN (0, 1) AND issue = ?3"         \
      " AND created_at_us >= ?4 AND amount > 0) > 0 FROM (SELECT status, currency,"      \
      " settled_amount, amount, issue, created_at_us FROM decisions"                     \
      " WHERE order_id = ?1 LIMIT ?5)")                                                  \
    X(DECISION_EXPIRED, READ,                                                            \
      "SELECT id, hold_expires_at_us, number FROM decisions"                             \
      " WHERE status = 0 AND hold_expires_at_us <= ?1"                                   \
      " AND (hold_expires_at_us, number) > (?2, ?3)"                                     \
      " ORDER BY hold_expires_at_us, number LIMIT ?4")                                   \
    X(DECISION_CHILD, READ, "SELECT 1 FROM decisions WHERE parent_id = ?1 LIMIT 1")      \
    X(CUSTOMER_EXISTS, READ, "SELECT 1 FROM decisions WHERE customer_id = ?1 LIMIT 1")   \
                                                                                         \
    /* Budgets and entries. */                                                           \
    X(BUDGET_INSERT, WRITE,                                                              \
      "INSERT INTO budgets (" BUDGET_COLUMNS ", digest)"                                 \
      " VALUES (" VALUES_24 ", row_digest(" VALUES_24 ", NULL))")                        \
    X(BUDGET_UPDATE, WRITE,                                                              \
      "UPDATE budgets SET market = ?2, issue = ?3, segment = ?4, channel = ?5,"          \
      " scope_currency = ?6, currency = ?7, period = ?8, time_zone = ?9, pacing = ?10,"  \
      " limit_minor = ?11, held_minor = ?12, spent_minor = ?13, unfunded_minor = ?14,"   \
      " expected_cases = ?15, case_count = ?16, shadow_price = ?17,"                     \
      " period_starts_at_us = ?18, period_ends_at_us = ?19,"                             \
      " created_at_us = ?20, updated_at_us = ?21, revision = ?22, ended_minor = ?23,"    \
      " returned_minor = ?24, digest = row_digest(" VALUES_24 ", NULL)"                  \
      " WHERE id = ?1 AND removed_at_us IS NULL")                                        \
    X(BUDGET_REMOVE, WRITE,                                                              \
      "UPDATE budgets SET removed_at_us = ?2, updated_at_us = ?2,"                       \
      " digest = " BUDGET_DIGEST("?2", "?2") " WHERE id = ?1 AND removed_at_us IS NULL"  \
                                             " AND " BUDGET_INTACT)                      \
    X(BUDGET_FIND, READ,                                                                 \
      "SELECT " BUDGET_COLUMNS ", " BUDGET_INTACT                                        \
      " FROM budgets WHERE id = ?1 AND removed_at_us IS NULL")                           \
    X(BUDGET_LIST, READ,                                                                 \
      "SELECT " BUDGET_COLUMNS ", " BUDGET_INTACT                                        \
      " FROM budgets WHERE removed_at_us IS NULL ORDER BY id")                           \
    X(BUDGET_COUNT, READ, "SELECT count(*) FROM budgets WHERE removed_at_us IS NULL")    \
    X(PRICE_SNAPSHOT_FIND, READ,                                                         \
      "SELECT id, published_at_us, " INTACT(                                             \
          "id, published_at_us") " FROM price_snapshot")                                 \
    X(PRICE_SNAPSHOT_SET, WRITE,                                                         \
      "INSERT INTO price_snapshot (number, id, published_at_us, digest)"                 \
      " VALUES (1, ?1, ?2, row_digest(?1, ?2)) ON CONFLICT"                              \
      " DO UPDATE SET id = ?1, published_at_us = ?2, digest = row_digest(?1, ?2)")       \
    X(ENTRY_HEAD, READ, "SELECT seq, hash FROM entries ORDER BY seq DESC LIMIT 1")       \
    X(ENTRY_INSERT, WRITE,                                                               \
      "INSERT INTO entries (seq, decision_id, budget_id, kind, amount, balance_after,"   \
      " created_at_us, note, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")         \
    X(ENTRY_PAGE_ALL_UP, READ, ENTRY_SELECT " WHERE e.seq > ?2 ORDER BY e.seq LIMIT ?3") \
    X(ENTRY_PAGE_ALL_DOWN, READ,                                                         \
      ENTRY_SELECT " WHERE e.seq < ?2 ORDER BY e.seq DESC LIMIT ?3")                     \
    X(ENTRY_PAGE_BUDGET_UP, READ,                                                        \
      ENTRY_SELECT " WHERE e.budget_id = ?1 AND e.seq > ?2 ORDER BY e.seq LIMIT ?3")     \
    X(ENTRY_PAGE_BUDGET_DOWN, READ,                                                      \
      ENTRY_SELECT                                                                       \
      " WHERE e.budget_id = ?1 AND e.seq < ?2 ORDER BY e.seq DESC LIMIT ?3")             \
    X(ENTRY_CHARGES, READ,                                                               \
      "SELECT budget_id,"                                                                \
      " sum(iif(kind IN (0, 5), amount, iif(kind IN (1, 2, 3), -amount, 0))) AS open,"   \
      " sum(iif(kind = 7, amount, 0)) AS unfunded, min(created_at_us)"                   \
      " FROM entries WHERE decision_id = ?1"                                             \
      " GROUP BY budget_id HAVING open <> 0 OR unfunded <> 0 ORDER BY budget_id")        \
                                                                                         \
    /* Outcomes, and the decision log as it is exported. */                              \
    X(OUTCOME_FIND, READ,                                                                \
      "SELECT number, " OUTCOME_COLUMNS                                                  \
      ", " INTACT(OUTCOME_COLUMNS) " FROM outcomes"                                      \
                                   " WHERE decision_number = ?1 AND metric = ?2"         \
                                   " AND occurred_at_us = ?3")                           \
    X(OUTCOME_INSERT, WRITE,                                                             \
      "INSERT INTO outcomes (" OUTCOME_COLUMNS ", digest)" DIGESTED(VALUES_5))           \
    X(OUTCOME_RANGE, READ,                                                               \
      "SELECT number, " OUTCOME_COLUMNS                                                  \
      ", " INTACT(OUTCOME_COLUMNS) " FROM outcomes"                                      \
                                   " WHERE decision_number > ?1"                         \
                                   " AND decision_number <= ?2 AND number <= ?3"         \
                                   " ORDER BY decision_number, occurred_at_us, number")  \
    X(OUTCOME_COUNT, READ, "SELECT count(*) FROM outcomes WHERE decision_number = ?1")   \
    X(DECISION_RANGE, READ,                                                              \
      "SELECT " DECISION_COLUMNS ", d.context,"                                          \
      " EXISTS (SELECT 1 FROM decisions WHERE parent_id = d.id)" DECISION_TABLES         \
      " WHERE d.number > ?1 AND d.number <= ?2 ORDER BY d.number LIMIT ?3")              \
                                                                                         \
    /* Chains. */                                                                        \
    X(CHAIN_FIND, READ, "SELECT seq, hash FROM chains WHERE name = ?1")                  \
    X(CHAIN_SET, WRITE, "UPDATE chains SET seq = ?2, hash = ?3 WHERE name = ?1")         \
    X(WRITE_AGAIN, WRITE,                                                                \
      "REPLACE INTO chains SELECT name, seq, hash FROM chains WHERE name = 'entries'")   \
    X(AUDIT_HEAD, READ, "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")         \
    X(AUDIT_INSERT, WRITE,                                                               \
      "INSERT INTO audit (seq, created_at_us, actor, action, subject, detail, hash)"     \
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")                                            \
    X(NEWEST, READ,                                                                      \
      "SELECT max(coalesce((SELECT created_at_us FROM entries WHERE seq > ?1"            \
      " ORDER BY seq DESC LIMIT 1), 0),"                                                 \
      " coalesce((SELECT created_at_us FROM decisions WHERE number > ?2"                 \
      " ORDER BY number DESC LIMIT 1), 0),"                                              \
      " coalesce((SELECT created_at_us FROM audit WHERE seq > ?3"                        \
      " ORDER BY seq DESC LIMIT 1), 0))")                                                \
    X(CLOCK_ACCEPTED, READ,                                                              \
      "SELECT seq, json_extract(detail, '$.entries'), json_extract(detail, "             \
      "'$.decisions') FROM audit WHERE action = 'clock.accepted'"                        \
      " ORDER BY seq DESC LIMIT 1")                                                      \
    X(AUDIT_FIRST, READ,                                                                 \
      AUDIT_SELECT " WHERE e.subject = ?1 AND e.action = ?2 ORDER BY e.seq LIMIT 1")     \
    X(AUDIT_PAGE_UP, READ, AUDIT_SELECT " WHERE e.seq > ?1 ORDER BY e.seq LIMIT ?2")     \
    X(AUDIT_PAGE_DOWN, READ,                                                             \
      AUDIT_SELECT " WHERE e.seq < ?1 ORDER BY e.seq DESC LIMIT ?2")                     \
                                                                                         \
    /* Demand. */                                                                        \
    X(TRAFFIC_CELL_PUT, WRITE,                                                           \
      "INSERT INTO traffic_cells (" CELL_COLUMNS                                         \
      ", digest)" DIGESTED(VALUES_6) " ON CONFLICT DO NOTHING")                          \
    X(TRAFFIC_CELL_LIST, READ,                                                           \
      "SELECT " CELL_COLUMNS                                                             \
      " FROM traffic_cells WHERE " INTACT(CELL_COLUMNS) " ORDER BY hash")                \
    X(TRAFFIC_CURVE_PUT, WRITE,                                                          \
      "INSERT INTO traffic_curves (" CURVE_COLUMNS ", digest)" DIGESTED(                 \
          VALUES_3) " ON CONFLICT (slot, cell)"                                          \
                    " DO UPDATE SET content = ?3, digest = row_digest(" VALUES_3 ")")    \
    X(TRAFFIC_CURVE_PAGE, READ,                                                          \
      "SELECT " CURVE_COLUMNS " FROM traffic_curves"                                     \
      " WHERE (slot, cell) < (?1, ?2) AND " INTACT(                                      \
          CURVE_COLUMNS) " ORDER BY slot DESC, cell DESC LIMIT ?3")                      \
    X(TRAFFIC_CURVE_FORGET, WRITE,                                                       \
      "DELETE FROM traffic_curves WHERE number IN (SELECT number FROM traffic_curves"    \
      " WHERE slot < ?1 OR slot > ?2 LIMIT ?3)")                                         \
    X(TRAFFIC_CELL_FORGET, WRITE,                                                        \
      "DELETE FROM traffic_cells WHERE hash IN (SELECT hash FROM traffic_cells c"        \
      " WHERE NOT EXISTS (SELECT 1 FROM traffic_curves WHERE cell = c.hash) LIMIT ?1)")  \
                                                                                         \
    /* Models, policies and keys. */                                                     \
    X(MODEL_NEWEST, READ,                                                                \
      "SELECT version, sha256, is_deleted FROM model_versions WHERE name = ?1"           \
      " ORDER BY version DESC LIMIT 1")                                                  \
    X(MODEL_INSERT, WRITE,                                                               \
      "INSERT INTO model_versions (" VERSION_COLUMNS ", manifest, digest)"               \
      " VALUES (" VALUES_6 ", 0, ?7, row_digest(" VALUES_6 ", 0, ?7))")                  \
    X(MODEL_FILE_INSERT, WRITE,                                                          \
      "INSERT INTO model_files (" FILE_COLUMNS ", digest)" DIGESTED(VALUES_4))           \
    X(MODEL_FIND, READ,                                                                  \
      "SELECT " VERSION_COLUMNS ", " VERSION_INTACT ", manifest FROM model_versions"     \
      " WHERE name = ?1 AND version = ?2")                                               \
    X(MODEL_FILES, READ,                                                                 \
      "SELECT name, content, " INTACT(                                                   \
          FILE_COLUMNS) " FROM model_files"                                              \
                        " WHERE model_name = ?1 AND version = ?2 ORDER BY name")         \
    X(MODEL_LIST, READ,                                                                  \
      "SELECT " VERSION_COLUMNS ", " VERSION_INTACT " FROM model_versions"               \
      " WHERE (?1 IS NULL OR name = ?1) AND NOT is_deleted ORDER BY name, version DESC") \
    X(MODEL_DELETE, WRITE,                                                               \
      "UPDATE model_versions SET is_deleted = 1, digest = " VERSION_DIGEST(              \
          "1") " WHERE name = ?1 AND version = ?2"                                       \
               " AND NOT is_deleted AND " VERSION_INTACT)                                \
    X(ALIAS_INSERT, WRITE,                                                               \
      "INSERT INTO alias_moves (" MOVE_COLUMNS ", digest)" DIGESTED(VALUES_6))           \
    X(ALIAS_LIST, READ,                                                                  \
      "SELECT number, " MOVE_COLUMNS                                                     \
      ", " INTACT(MOVE_COLUMNS) " FROM alias_moves m WHERE (?1 IS NULL OR name = ?1)"    \
                                " AND version IS NOT NULL AND number = (SELECT "         \
                                "max(number) FROM alias_moves"                           \
                                " WHERE name = m.name AND alias = m.alias) ORDER BY "    \
                                "name, alias")                                           \
    X(ALIAS_HISTORY, READ,                                                               \
      "SELECT number, " MOVE_COLUMNS                                                     \
      ", " INTACT(MOVE_COLUMNS) " FROM alias_moves WHERE (?1 IS NULL OR name = ?1)"      \
                                " AND moved_at_us <= ?2 ORDER BY number DESC")           \
    X(ALIAS_OF_VERSION, READ,                                                            \
      "SELECT alias FROM alias_moves m WHERE name = ?1 AND version = ?2"                 \
      " AND number = (SELECT max(number) FROM alias_moves"                               \
      " WHERE name = m.name AND alias = m.alias) LIMIT 1")                               \
    X(POLICY_NEWEST, READ,                                                               \
      "SELECT coalesce(max(revision), 0) FROM policy_revisions WHERE id = ?1")           \
    X(POLICY_INSERT, WRITE,                                                              \
      "INSERT INTO policy_revisions (" POLICY_COLUMNS ", digest)" DIGESTED(VALUES_6))    \
    X(POLICY_FIND, READ,                                                                 \
      "SELECT " POLICY_COLUMNS                                                           \
      ", " INTACT(POLICY_COLUMNS) " FROM policy_revisions"                               \
                                  " WHERE id = ?1 AND (?2 = 0 OR revision = ?2) ORDER "  \
                                  "BY revision DESC LIMIT 1")                            \
    X(POLICY_LIST, READ,                                                                 \
      "SELECT " POLICY_COLUMNS                                                           \
      ", " INTACT(POLICY_COLUMNS) " FROM policy_revisions p WHERE revision ="            \
                                  " (SELECT max(revision) FROM policy_revisions WHERE "  \
                                  "id = p.id) ORDER BY id")                              \
    X(POLICY_REVISIONS, READ,                                                            \
      "SELECT " POLICY_COLUMNS                                                           \
      ", " INTACT(POLICY_COLUMNS) " FROM policy_revisions WHERE id = ?1"                 \
                                  " ORDER BY revision DESC")                             \
    X(KEY_INSERT, WRITE,                                                                 \
      "INSERT INTO api_keys (" KEY_COLUMNS ", digest)" DIGESTED(VALUES_7))               \
    X(KEY_UPDATE, WRITE,                                                                 \
      "UPDATE api_keys SET name = ?2, scopes = ?3, hash = ?4, created_at_us = ?5,"       \
      " expires_at_us = ?6, revoked_at_us = ?7, digest = row_digest(" VALUES_7 ")"       \
      " WHERE id = ?1")                                                                  \
    X(SECRET_INSERT, WRITE,                                                              \
      "INSERT INTO secrets (name, value, digest)" DIGESTED(VALUES_2))                    \
    X(SECRET_FIND, READ,                                                                 \
      "SELECT value, " INTACT("name, value") " FROM secrets WHERE name = ?1")            \
    X(KEY_FIND, READ,                                                                    \
      "SELECT " KEY_COLUMNS ", " INTACT(KEY_COLUMNS) " FROM api_keys WHERE id = ?1")     \
    X(KEY_LIST, READ,                                                                    \
      "SELECT " KEY_COLUMNS ", " INTACT(KEY_COLUMNS) " FROM api_keys ORDER BY id")       \
                                                                                         \
    /* Checks and figures. */                                                            \
    X(CHECK_ROWS_ANSWERS, READ,                                                          \
      CHECK_ROWS_ALL("answers a", "a.number", ANSWER_INTACT, ANSWER_FOUND, "1"))         \
    X(CHECK_ROWS_DECISIONS, READ,                                                        \
      CHECK_ROWS_ALL("decisions d", "d.number", DECISION_INTACT, DECISION_FOUND,         \
                     DECISION_LINKED))                                                   \
    X(CHECK_ROWS_BUDGETS, READ, CHECK_ROWS("budgets", "number", BUDGET_INTACT))          \
    X(CHECK_ROWS_VERSIONS, READ, CHECK_ROWS("model_versions", "rowid", VERSION_INTACT))  \
    X(CHECK_ROWS_FILES, READ,                                                            \
      CHECK_ROWS_ALL("model_files f", "f.rowid", INTACT(FILE_COLUMNS), "1",              \
                     FILE_LINKED))                                                       \
    X(CHECK_ROWS_MOVES, READ,                                                            \
      CHECK_ROWS_ALL("alias_moves m", "m.number", INTACT(MOVE_COLUMNS), "1",             \
                     MOVE_LINKED))                                                       \
    X(CHECK_ROWS_POLICIES, READ,                                                         \
      CHECK_ROWS("policy_revisions", "rowid", INTACT(POLICY_COLUMNS)))                   \
    X(CHECK_ROWS_KEYS, READ, CHECK_ROWS("api_keys", "number", INTACT(KEY_COLUMNS)))      \
    X(CHECK_ROWS_SECRETS, READ, CHECK_ROWS("secrets", "rowid", INTACT("name, value")))   \
    X(CHECK_ROWS_PRICES, READ,                                                           \
      CHECK_ROWS("price_snapshot", "number", INTACT("id, published_at_us")))             \
    X(CHECK_ROWS_CELLS, READ, CHECK_ROWS("traffic_cells", "hash", INTACT(CELL_COLUMNS))) \
    X(CHECK_ROWS_CURVES, READ,                                                           \
      CHECK_ROWS_ALL("traffic_curves c", "c.number", INTACT(CURVE_COLUMNS), "1",         \
                     CURVE_LINKED))                                                      \
    X(CHECK_REMAINING, READ,                                                             \
      "SELECT id, limit_minor - held_minor - spent_minor,"                               \
      " (SELECT balance_after FROM entries WHERE budget_id = b.id ORDER BY seq DESC "    \
      "LIMIT 1)"                                                                         \
      " FROM budgets b WHERE removed_at_us IS NULL ORDER BY id")                         \
    X(ENTRY_HASH, READ, "SELECT hash FROM entries WHERE seq = ?1")                       \
    X(AUDIT_HASH, READ, "SELECT hash FROM audit WHERE seq = ?1")                         \
    X(CHECK_ENTRIES, READ,                                                               \
      "SELECT e.seq, e.decision_id, e.budget_id, e.kind, e.amount, e.balance_after,"     \
      " e.created_at_us, e.note, e.hash, b.number, e.decision_id IS NULL OR"             \
      " EXISTS (SELECT 1 FROM decisions WHERE id = e.decision_id) FROM entries e"        \
      " LEFT JOIN budgets b ON b.id = e.budget_id"                                       \
      " WHERE e.seq > ?1 ORDER BY e.seq LIMIT ?2")                                       \
    X(CHECK_BUDGETS, READ,                                                               \
      "SELECT number, id, limit_minor, held_minor, spent_minor, unfunded_minor,"         \
      " removed_at_us IS NULL FROM budgets ORDER BY number")                             \
    X(CHECK_DECISIONS, READ,                                                             \
      "SELECT number, id, status, amount, settled_amount, context FROM decisions"        \
      " WHERE number > ?1 ORDER BY number LIMIT ?2")                                     \
    X(CHECK_CHARGES, READ,                                                               \
      "SELECT budget_id, sum(iif(kind IN (0, 5), amount, 0)),"                           \
      " sum(iif(kind = 7 AND amount > 0, amount, 0)), sum(iif(kind = 1, amount, 0)),"    \
      " sum(iif(kind IN (1, 2, 3), amount, 0)) FROM entries WHERE decision_id = ?1"      \
      " GROUP BY budget_id")                                                             \
    X(CHECK_ROWS_OUTCOMES, READ,                                                         \
      CHECK_ROWS_ALL("outcomes o", "o.number", INTACT(OUTCOME_COLUMNS), OUTCOME_FOUND,   \
                     OUTCOME_LINKED))                                                    \
    X(STATS, READ,                                                                       \
      "SELECT (SELECT coalesce(max(number), 0) FROM decisions),"                         \
      " (SELECT coalesce(max(seq), 0) FROM entries),"                                    \
      " (SELECT coalesce(max(number), 0) FROM answers),"                                 \
      " (SELECT count(*) FROM budgets WHERE removed_at_us IS NULL),"                     \
      " (SELECT count(DISTINCT id) FROM policy_revisions),"                              \
      " (SELECT count(*) FROM model_versions WHERE NOT is_deleted),"                     \
      " (SELECT count(*) FROM api_keys WHERE revoked_at_us IS NULL),"                    \
      " (SELECT coalesce(max(seq), 0) FROM audit),"                                      \
      " (SELECT coalesce(max(number), 0) FROM outcomes)")

#endif
