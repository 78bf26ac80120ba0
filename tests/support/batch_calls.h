/* batch_calls.h - cases of a few words, asked for one by one or together. What cannot be
 * is an assertion that fails. */
#ifndef REDRESS_TESTS_BATCH_CALLS_H
#define REDRESS_TESTS_BATCH_CALLS_H

#include "support/api_call.h"
#include "support/service_fixture.h"

/* need: the effects are 900 x need for 500 and 1700 x need for 1000, at a cost of as
 * much. */
struct wish {
    const char *customer;
    double need;
    int entitled;
};

/* A case of customer a with a need of 2. */
extern const char batch_case_of_a[];

/* {"cases": [..]}; the caller frees it. */
char *batch_body(const struct wish *wishes, int count);

/* The caller frees the reply. */
struct api_reply batch_post(struct running *running, const char *path, const char *key,
                            const struct wish *wishes, int count);
struct api_reply batch_decide(struct running *running, const char *key,
                              const struct wish *wishes, int count);

/* Of the decision with this index in a reply. */
int64_t batch_amount(const struct api_reply *reply, int index);

/* Of bud_all. */
int64_t batch_remaining(struct running *running);

#endif
