/* test_damage.c - thousands of damaged copies of a database: none of them gives a wrong
 * answer.
 *
 * Bits flip, bytes are overwritten, pages are zeroed, swapped or taken from an older
 * state, files are cut. Each copy is then opened as a service would, checked as "db
 * check" does, and, when nobody has said a word, read as a whole through every index: it
 * must say what the undamaged one says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../support/store_fixture.h"
#include "../support/torture.h"

#include "store/outcomes.h"
#include "store/traffic.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PAGE_BYTES = 4096, DECISION_COUNT = 60, NAME_BYTES = 128 };

struct image {
    unsigned char *bytes;
    size_t count;
};

/* The database, an older state of it, and what it says. */
static struct {
    struct fixture fixture;
    struct image whole, older;
    char *said;
    char copy[NAME_BYTES];
} stage;

static struct image image_read(const char *path)
{
    struct image image;
    FILE *file = fopen(path, "r");

    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    image.count = (size_t)ftell(file);
    rewind(file);
    image.bytes = malloc(image.count);
    assert_non_null(image.bytes);
    assert_int_equal(fread(image.bytes, 1, image.count, file), image.count);
    fclose(file);
    return image;
}

static void image_write(const struct image *image, const char *path)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(image->bytes, 1, image->count, file), image->count);
    assert_int_equal(fclose(file), 0);
}

/* --- what a database says ------------------------------------------------------------------- */

struct words {
    FILE *out;
    char *text;
    size_t bytes;
};

static int say_row(void *context, int count, char **values, char **names)
{
    struct words *words = context;

    (void)names;
    for (int i = 0; i < count; i++)
        fprintf(words->out, "%s|", values[i] ? values[i] : "NULL");
    fputc('\n', words->out);
    return 0;
}

/* Every row in every order that an index gives; NULL when it cannot be read. */
static char *say(const char *path)
{
    static const char *const questions[] = {
        "SELECT type, name, sql FROM sqlite_schema ORDER BY name",
        "SELECT * FROM answers ORDER BY number",
        "SELECT number FROM answers ORDER BY scope_key",
        "SELECT * FROM decisions ORDER BY number",
        "SELECT number FROM decisions ORDER BY id",
        "SELECT number, status, goodwill FROM decisions INDEXED BY decisions_customer"
        " WHERE customer_id >= '' ORDER BY customer_id, number",
        "SELECT number FROM decisions INDEXED BY decisions_held"
        " WHERE status = 0 ORDER BY hold_expires_at_us, number",
        "SELECT number FROM decisions WHERE order_id IS NOT NULL ORDER BY order_id, "
        "number",
        "SELECT *, hex(hash) FROM entries ORDER BY seq",
        "SELECT seq FROM entries ORDER BY budget_id, seq",
        "SELECT seq FROM entries WHERE decision_id IS NOT NULL ORDER BY decision_id, seq",
        "SELECT * FROM budgets ORDER BY number",
        "SELECT *, hex(hash) FROM audit ORDER BY seq",
        "SELECT *, hex(hash) FROM chains ORDER BY name",
        "SELECT *, hex(value) FROM secrets",
        "SELECT * FROM policy_revisions ORDER BY id, revision",
        "SELECT *, hex(hash) FROM api_keys ORDER BY id",
        "SELECT * FROM model_versions ORDER BY name, version",
        "SELECT *, hex(content) FROM model_files ORDER BY model_name, version, name",
        "SELECT * FROM alias_moves ORDER BY number",
        "SELECT number FROM alias_moves ORDER BY name, alias",
        "SELECT * FROM price_snapshot",
        "SELECT * FROM traffic_cells ORDER BY hash",
        "SELECT *, hex(content) FROM traffic_curves ORDER BY number",
        "SELECT number FROM traffic_curves ORDER BY slot, cell",
        "SELECT number FROM traffic_curves ORDER BY cell",
        "SELECT * FROM outcomes ORDER BY number",
        "SELECT number FROM outcomes ORDER BY decision_number, metric, occurred_at_us",
    };
    struct words words = {0};
    sqlite3 *db = NULL;
    int code = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL);

    words.out = open_memstream(&words.text, &words.bytes);
    assert_non_null(words.out);
    for (size_t i = 0; code == SQLITE_OK && i < sizeof questions / sizeof *questions; i++)
        code = sqlite3_exec(db, questions[i], say_row, &words, NULL);
    sqlite3_close(db);
    fclose(words.out);
    if (code == SQLITE_OK)
        return words.text;
    free(words.text);
    return NULL;
}

/* --- the database ------------------------------------------------------------------------------- */

static void decide_some(struct budget *budget, int from, int count)
{
    struct fixture *f = &stage.fixture;
    struct decision_row row;

    assert_ok(f, store_begin(f->store, &f->err));
    for (int i = 0; i < count; i++) {
        assert_ok(f, decide_once(f->store, budget, from + i, 10 + i, &row, &f->err));
        if (i % 3 != 0)
            continue;
        row.status = DECISION_SETTLED;
        row.settled_amount = row.amount;
        assert_ok(
            f, budget_move(f->store, budget, ENTRY_SETTLE, row.amount, row.id, &f->err));
        assert_ok(f, decision_update(f->store, &row, &f->err));
    }
    assert_ok(f, store_commit(f->store, &f->err));
}

/* Two for each decision there is, which are numbered from 1. */
static void report_some(int from, int count)
{
    struct fixture *f = &stage.fixture;

    assert_ok(f, store_begin(f->store, &f->err));
    for (int i = 0; i < 2 * count; i++) {
        struct outcome_row row = {.decision_number = from + 1 + i / 2,
                                  .metric = "value",
                                  .value = 1.5 * i,
                                  .occurred_at_us = FIXTURE_TIME_US + i,
                                  .created_at_us = FIXTURE_TIME_US};

        assert_ok(f, outcome_row_insert(f->store, &row, &f->err));
    }
    assert_ok(f, store_commit(f->store, &f->err));
}

static void register_some(void)
{
    struct fixture *f = &stage.fixture;
    struct audit_event event = {
        .actor = "cli", .action = "test", .subject = "x", .detail = text_of("{\"a\":1}")};
    struct policy_revision policy = {
        .id = "goodwill", .created_by = "cli", .document = text_of("{\"menu\":[0,500]}")};
    struct api_key key = {.id = "key_1", .name = "ops", .scopes = "read budget:write"};
    unsigned char secret[SECRET_BYTES] = "secret";

    assert_ok(f, store_begin(f->store, &f->err));
    for (int i = 0; i < 5; i++)
        assert_ok(f, audit_append(f->store, &event, &f->err));
    assert_ok(f, policy_insert(f->store, &policy, &f->err));
    assert_ok(f, api_key_insert(f->store, &key, &f->err));
    assert_ok(f, secret_insert(f->store, "draws", secret, &f->err));
    assert_ok(f, store_commit(f->store, &f->err));
}

/* A model of two files, larger than a page, and what points at it; round tells one from
 * the next. */
static void push_model(int round)
{
    static char trees[3 * PAGE_BYTES];
    struct fixture *f = &stage.fixture;
    struct model_version version = {.name = "m", .created_by = "cli"};
    struct model_alias alias = {.name = "m", .alias = "champion", .moved_by = "cli"};
    const struct bundle_file files[] = {
        {text_of("trees.json"), {trees, sizeof trees}},
        {text_of("small.json"), text_of("{\"weights\":[1]}")},
    };

    memset(trees, 'a' + round, sizeof trees);
    memset(version.sha256, '0' + round, sizeof version.sha256 - 1);
    assert_ok(f, store_begin(f->store, &f->err));
    assert_ok(f, model_insert(f->store, &version, text_of("{\"name\":\"m\"}"), files, 2,
                              &f->err));
    alias.version = version.version;
    assert_ok(f, alias_set(f->store, &alias, &f->err));
    assert_ok(f, store_commit(f->store, &f->err));
}

/* What cases wanted, and the snapshot of the prices that followed. Written once: these
 * rows are replaced every few seconds, no chain counts them, and a page of them as it was
 * before says what was true then, which no money depends on. */
static void price_some(void)
{
    struct fixture *f = &stage.fixture;
    struct price_snapshot snapshot = {.published_at_us = FIXTURE_TIME_US};
    char wanted[200];

    snprintf(snapshot.id, sizeof snapshot.id, "prc_1");
    memset(wanted, 'w', sizeof wanted);
    assert_ok(f, store_begin(f->store, &f->err));
    for (int i = 0; i < 8; i++) {
        struct traffic_cell cell = {
            .hash = (uint64_t)i, .market = "us", .issue = "late", .currency = "USD"};
        struct traffic_curve curve = {
            .cell = (uint64_t)i, .slot = 1000 + i, .content = {wanted, sizeof wanted}};

        assert_ok(f, traffic_cell_put(f->store, &cell, &f->err));
        assert_ok(f, traffic_curve_put(f->store, &curve, &f->err));
    }
    assert_ok(f, price_snapshot_set(f->store, &snapshot, &f->err));
    assert_ok(f, store_commit(f->store, &f->err));
}

static int make_database(void **state)
{
    struct fixture *f = &stage.fixture;
    struct budget budget = budget_of("bud_all", 1000000);

    (void)state;
    fixture_open(f);
    assert_ok(f, store_begin(f->store, &f->err));
    assert_ok(f, budget_open(f->store, &budget, &f->err));
    assert_ok(f, store_commit(f->store, &f->err));
    register_some();
    decide_some(&budget, 0, DECISION_COUNT / 2);
    report_some(0, DECISION_COUNT / 2);
    push_model(0);
    price_some();
    fixture_reopen(f); /* all that the log held is in the file */
    stage.older = image_read(f->path);
    decide_some(&budget, DECISION_COUNT, DECISION_COUNT / 2);
    report_some(DECISION_COUNT / 2, DECISION_COUNT / 2);
    push_model(1);
    fixture_reopen(f);
    stage.whole = image_read(f->path);
    stage.said = say(f->path);
    assert_non_null(stage.said);
    snprintf(stage.copy, sizeof stage.copy, "%s/copy.db", f->folder);
    return 0;
}

static int drop_database(void **state)
{
    (void)state;
    free(stage.whole.bytes);
    free(stage.older.bytes);
    free(stage.said);
    fixture_close(&stage.fixture);
    return 0;
}

/* --- damage ------------------------------------------------------------------------------------- */

static size_t below(struct rng *rng, size_t count)
{
    return (size_t)rng_below(rng, (uint64_t)count);
}

static unsigned char *page_at(const struct image *image, size_t number)
{
    return image->bytes + number * PAGE_BYTES;
}

static void flip_bit(struct image *image, struct rng *rng)
{
    image->bytes[below(rng, image->count)] ^= (unsigned char)(1 << below(rng, 8));
}

/* The first hundred bytes say how all others are to be read. */
static void flip_bit_of_header(struct image *image, struct rng *rng)
{
    image->bytes[below(rng, 100)] ^= (unsigned char)(1 << below(rng, 8));
}

static void overwrite(struct image *image, struct rng *rng)
{
    size_t count = 1 + below(rng, 64), at = below(rng, image->count - count);

    for (size_t i = 0; i < count; i++)
        image->bytes[at + i] = (unsigned char)below(rng, 256);
}

static void zero_page(struct image *image, struct rng *rng)
{
    memset(page_at(image, below(rng, image->count / PAGE_BYTES)), 0, PAGE_BYTES);
}

static void swap_pages(struct image *image, struct rng *rng)
{
    unsigned char kept[PAGE_BYTES];
    size_t count = image->count / PAGE_BYTES;
    unsigned char *one = page_at(image, below(rng, count));
    unsigned char *other = page_at(image, below(rng, count));

    memcpy(kept, one, PAGE_BYTES);
    memcpy(one, other, PAGE_BYTES);
    memcpy(other, kept, PAGE_BYTES);
}

static void repeat_page(struct image *image, struct rng *rng)
{
    size_t count = image->count / PAGE_BYTES;

    memmove(page_at(image, below(rng, count)), page_at(image, below(rng, count)),
            PAGE_BYTES);
}

/* A write that never reached the disk. */
static void lose_write(struct image *image, struct rng *rng)
{
    size_t number = below(rng, stage.older.count / PAGE_BYTES);

    memcpy(page_at(image, number), page_at(&stage.older, number), PAGE_BYTES);
}

static void cut(struct image *image, struct rng *rng)
{
    image->count = below(rng, image->count);
    if (below(rng, 2) == 0)
        image->count -= image->count % PAGE_BYTES;
}

static const struct damage {
    const char *name;
    void (*strike)(struct image *image, struct rng *rng);
} damages[] = {
    {"copies with a bit flipped", flip_bit},
    {"copies with a bit of the header flipped", flip_bit_of_header},
    {"copies with bytes overwritten", overwrite},
    {"copies with a page zeroed", zero_page},
    {"copies with pages swapped", swap_pages},
    {"copies with a page in another's place", repeat_page},
    {"copies with a page as it was before", lose_write},
    {"copies cut", cut},
};

enum { DAMAGE_COUNT = sizeof damages / sizeof *damages };

/* --- verdicts ----------------------------------------------------------------------------------- */

enum verdict { REFUSED, REPORTED, HARMLESS, SILENT, VERDICT_COUNT };

static void forget_copy(void)
{
    static const char *const ends[] = {"", "-wal", "-shm"};

    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        char name[NAME_BYTES + 8];

        snprintf(name, sizeof name, "%s%s", stage.copy, ends[i]);
        unlink(name);
    }
}

/* As a service opens it. */
static enum verdict open_copy(void)
{
    struct store_report report = {0};
    struct store *store = NULL;
    struct err err = {0};
    enum status rc = store_open(stage.copy, STORE_WRITER, &store, NULL, &err);

    if (!rc)
        rc = store_check_recent(store, &report, &err);
    store_close(store);
    return rc || report.fault_count > 0 ? REFUSED : SILENT;
}

static enum verdict check_copy(void)
{
    struct store_report report = {0};
    struct store *store = NULL;
    struct err err = {0};
    enum status rc = store_open(stage.copy, STORE_READER, &store, NULL, &err);

    if (!rc)
        rc = store_check(store, &report, &err);
    store_close(store);
    return rc || report.fault_count > 0 ? REPORTED : SILENT;
}

/* What "db check" says of a copy comes first, so that the start does not do its work. */
static enum verdict judge(const struct image *image, bool is_checked_first)
{
    enum verdict verdict;
    char *said;

    forget_copy();
    image_write(image, stage.copy);
    verdict = is_checked_first ? check_copy() : open_copy();
    if (verdict == SILENT)
        verdict = is_checked_first ? open_copy() : check_copy();
    if (verdict != SILENT)
        return verdict;
    said = say(stage.copy);
    if (said && strcmp(said, stage.said) == 0)
        verdict = HARMLESS;
    free(said);
    return verdict;
}

static void no_damage_gives_a_wrong_answer(void **state)
{
    int64_t round_count = torture_count(90, 4000), counts[VERDICT_COUNT] = {0};
    uint64_t seed = seed_print("no_damage_gives_a_wrong_answer");

    (void)state;
    for (int kind = 0; kind < DAMAGE_COUNT; kind++) {
        for (int64_t round = 0; round < round_count; round++) {
            struct image image = {malloc(stage.whole.count), stage.whole.count};
            enum verdict verdict;
            struct rng rng;

            assert_non_null(image.bytes);
            memcpy(image.bytes, stage.whole.bytes, image.count);
            rng_seed(&rng, seed + (uint64_t)(kind * 1000000 + round));
            damages[kind].strike(&image, &rng);
            verdict = judge(&image, round % 2);
            free(image.bytes);
            counts[verdict]++;
            if (verdict == SILENT)
                fail_msg("round %lld of %s: a wrong answer, and nobody said a word",
                         (long long)round, damages[kind].name);
        }
        torture_report(damages[kind].name, round_count);
    }
    assert_true(counts[REFUSED] > 0 && counts[REPORTED] > 0 && counts[HARMLESS] > 0);
    torture_report("damaged copies refused at the start", counts[REFUSED]);
    torture_report("damaged copies reported by the check", counts[REPORTED]);
    torture_report("damaged copies that say the same", counts[HARMLESS]);
    torture_report("silent wrong answers", counts[SILENT]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_damage_gives_a_wrong_answer),
    };

    return cmocka_run_group_tests(tests, make_database, drop_database);
}
