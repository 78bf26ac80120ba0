/* answers.c - answers as they went out, found again by their idempotency key. */
#include "store/decisions.h"
#include "store/sql.h"

enum status answer_find(struct store *store, struct text scope_key, struct arena *arena,
                        struct answer *answer, struct err *err)
{
    struct query query = query_start(store, SQL_ANSWER_FIND);

    answer->number = 0;
    put_text_or_null(&query, scope_key);
    if (query_row(&query)) {
        answer->number = take_int(&query);
        answer->scope_key = take_text(&query, arena);
        take_bytes(&query, answer->request_hash, REQUEST_HASH_BYTES);
        answer->http_status = (int)take_int(&query);
        answer->body = take_packed(&query, arena);
        answer->revision = take_int(&query);
        answer->location = take_text(&query, arena);
        answer->created_at_us = take_int(&query);
        take_intact(&query);
    }
    return query_end(&query, "look up an answer", err);
}

enum status answer_insert(struct store *store, struct answer *answer, struct err *err)
{
    struct query query = query_write(store, SQL_ANSWER_INSERT);
    bool is_taken;
    enum status rc;

    put_text_or_null(&query, answer->scope_key);
    put_bytes(&query, answer->request_hash, REQUEST_HASH_BYTES);
    put_int(&query, answer->http_status);
    put_packed(&query, answer->body);
    put_int(&query, answer->revision);
    put_text_or_null(&query, answer->location);
    put_int(&query, answer->created_at_us);
    put_digest(&query);
    query_row(&query);
    is_taken = query_is_duplicate(&query);
    rc = query_end(&query, "write an answer", err);
    if (is_taken)
        return err_set(err, STATUS_CONFLICT, "this key was used before");
    if (rc)
        return rc;
    answer->number = chain_end_at(store, CHAIN_ANSWERS);
    store->has_answer = true;
    return STATUS_OK;
}
