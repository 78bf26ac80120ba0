/* customers.c - what was decided for one customer. */
#include "decide/cases.h"

enum status customer_decisions_show(struct service *service,
                                    const struct decision_filter *filter,
                                    struct arena *arena, struct text *json,
                                    struct err *err)
{
    struct store *reader = service_reader_take(service);
    bool exists = false;
    enum status rc = decision_customer_exists(reader, filter->customer_id, &exists, err);

    service_reader_give(service, reader);
    if (!rc && !exists)
        rc = err_code(err, STATUS_NOT_FOUND, "customer_not_found",
                      "nothing was ever decided for this customer");
    return rc ? rc : decision_list_show(service, filter, arena, json, err);
}
