/* audit.c - redress audit: the hash chains verified, and where they end. */
#include "app/care.h"
#include "app/commands.h"
#include "base/file.h"
#include "json/tree.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD_BYTES_MAX = 64 << 10 };

struct kept_head {
    const char *path;
    struct store_heads heads;
};

/* --- a head that was kept --------------------------------------------------------------------- */

static bool chain_read(const json_t *chains, const char *name, struct chain_end *end)
{
    const json_t *chain = json_object_get(chains, name);
    const char *digits = json_string_value(json_object_get(chain, "hash"));
    const json_t *seq = json_object_get(chain, "seq");
    size_t count;

    end->seq = json_integer_value(seq);
    return json_is_integer(seq) && end->seq >= 0 && digits &&
           strlen(digits) == 2 * sizeof end->hash &&
           sodium_hex2bin(end->hash, sizeof end->hash, digits, 2 * sizeof end->hash, NULL,
                          &count, NULL) == 0 &&
           count == sizeof end->hash;
}

static enum status heads_read(const char *path, struct store_heads *heads,
                              struct err *err)
{
    json_error_t error;
    json_t *root = NULL;
    const json_t *chains;
    char *text;
    size_t bytes;
    enum status rc = file_read(path, HEAD_BYTES_MAX, &text, &bytes, err);

    if (rc)
        return rc;
    rc = json_tree_read(text, bytes, JSON_REJECT_DUPLICATES, &root, &error, err);
    free(text);
    chains = json_object_get(root, "chains");
    if (rc == STATUS_MALFORMED)
        rc = err_set(err, STATUS_INVALID, "%s: %s", path, error.text);
    else if (!rc && (!chain_read(chains, "entries", &heads->entries) ||
                     !chain_read(chains, "audit", &heads->audit)))
        rc = err_set(err, STATUS_INVALID,
                     "%s: this is not what 'redress audit head' writes", path);
    json_decref(root);
    return rc;
}

/* The chain was gone through before: only then one of its rows stands for all before
 * it. */
static enum status compare_head(struct store *store, const void *context,
                                struct store_report *report, struct err *err)
{
    const struct kept_head *kept = context;
    const char *missing;
    enum status rc = store_has_heads(store, &kept->heads, &missing, err);

    if (rc || !missing)
        return rc;
    if (report->fault_count++ == 0)
        snprintf(report->first_fault, sizeof report->first_fault,
                 "The chain '%s' does not have the head that %.128s says it had.",
                 missing, kept->path);
    return STATUS_OK;
}

static int verify(const struct target *target, const char *, struct err *err)
{
    struct kept_head kept = {.path = target->head};

    if (!kept.path)
        return care_check_also(target, NULL, NULL, err);
    if (heads_read(kept.path, &kept.heads, err))
        return command_failed(err);
    return care_check_also(target, compare_head, &kept, err);
}

static int audit_verify(int argc, char **argv)
{
    static const struct care care = {
        .synopsis = "audit verify [OPTIONS]",
        .summary =
            "Verify the hash chains of the audit trail and the ledger, with all "
            "that 'db check' checks. With --json it prints where the chains end. Exit "
            "code 1 when a check fails.",
        .takes_head = true,
        .run = verify,
    };

    return care_main(&care, argc, argv);
}

/* --- the head there is ------------------------------------------------------------------------ */

static int head(const struct target *target, const char *, struct err *err)
{
    struct store_heads heads;
    struct store *store = NULL;
    enum status rc = care_reader(target, &store, err);

    if (!rc)
        rc = store_heads(store, &heads, err);
    store_close(store);
    if (rc)
        return command_failed(err);
    printf("{\"object\": \"chain_heads\", \"chains\": ");
    print_heads(&heads);
    puts("}");
    return EXIT_DONE;
}

static int audit_head(int argc, char **argv)
{
    static const struct care care = {
        .synopsis = "audit head [OPTIONS]",
        .summary =
            "Print where the hash chains of the audit trail and the ledger end: how "
            "many rows, and the hash of the last, as JSON. Kept elsewhere, it shows "
            "with 'audit verify --head FILE' that nothing before was changed.",
        .run = head,
    };

    return care_main(&care, argc, argv);
}

int command_audit(int argc, char **argv)
{
    static const struct command commands[] = {
        {"verify", "Verify the hash chains", .run = audit_verify},
        {"head", "Print where the hash chains end", .run = audit_head},
        {0},
    };

    return command_dispatch("audit", "Who changed what, when and why.", commands, argc,
                            argv);
}
