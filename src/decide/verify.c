/* verify.c - the hash chains gone through while somebody waits for the answer. */
#include "decide/admin.h"
#include "decide/lists.h"
#include "store/store.h"

/* Somebody waits, and others for the thread. */
#define VERIFY_US_MAX (10 * SECOND_US)

struct verification {
    const struct service *service;
    int64_t end_us;
};

static bool goes_on(void *context)
{
    const struct verification *verification = context;

    return !service_is_winding_up(verification->service) &&
           clock_monotonic_us(&system_clock) < verification->end_us;
}

static enum status verify(struct service *service, struct store_report *report,
                          struct err *err)
{
    struct verification verification = {
        .service = service, .end_us = clock_monotonic_us(&system_clock) + VERIFY_US_MAX};
    struct store *reader = service_reader_take(service);
    enum status rc = store_check_chains(reader, goes_on, &verification, report, err);

    service_reader_give(service, reader);
    if (rc == STATUS_UNAVAILABLE && !goes_on(&verification))
        rc = err_code(err, rc, "verification_unfinished",
                      service_is_winding_up(service)
                          ? "the service ends: ask again when it is back"
                          : "this takes too long to be waited for: 'redress audit "
                            "verify' takes its time");
    return rc;
}

static void put_chain(struct json_writer *writer, const char *name,
                      const struct chain_end *end)
{
    json_put_key(writer, name);
    json_put_object(writer);
    json_member_int(writer, "seq", end->seq);
    json_member_hex(writer, "hash", end->hash, sizeof end->hash);
    json_put_object_end(writer);
}

enum status audit_verify_show(struct service *service, struct arena *arena,
                              struct text *json, struct err *err)
{
    struct store_report report;
    struct json_writer writer;
    enum status rc = verify(service, &report, err);

    if (!rc)
        rc =
            show_writer(arena, 1024 + json_room(sizeof report.first_fault), &writer, err);
    if (rc)
        return rc;
    json_put_object(&writer);
    json_member_string(&writer, "object", "audit_verification");
    json_member_bool(&writer, "ok", report.fault_count == 0);
    json_member_time(&writer, "verified_at", clock_wall_us(service_clock(service)));
    json_put_key(&writer, "chains");
    json_put_object(&writer);
    put_chain(&writer, "entries", &report.heads.entries);
    put_chain(&writer, "audit", &report.heads.audit);
    json_put_object_end(&writer);
    json_member_int(&writer, "faults", report.fault_count);
    json_member_string(&writer, "first_fault",
                       report.first_fault[0] ? report.first_fault : NULL);
    json_put_object_end(&writer);
    return json_writer_text(&writer, json, err);
}
