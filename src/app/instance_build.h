/* instance_build.h - how the readers put an instance together; private to them.
 *
 * Requests and actions are appended; instance_finish makes the problem of them. */
#ifndef REDRESS_APP_INSTANCE_BUILD_H
#define REDRESS_APP_INSTANCE_BUILD_H

#include "app/instance.h"

/* An empty instance. */
enum status instance_init(struct instance *instance, enum instance_format format,
                          struct err *err);

/* Append an action to what will be the last request. The numbers were judged. */
enum status instance_add_action(struct instance *instance, const struct decimal *cost,
                                const struct decimal *value, struct err *err);

/* The actions from first_action on, which have been added, are those of the next
 * request. */
enum status instance_add_request(struct instance *instance, int64_t first_action,
                                 int32_t cell, struct err *err);

/* The index of a budget, which is made when it is not there. */
enum status instance_budget(struct instance *instance, struct text id, int32_t *index,
                            bool *is_new, struct err *err);

/* Bring all numbers to their scales and set up the allocation; cells are the sets of
 * budgets as arrays of int32_t. name: of the input, for messages. */
enum status instance_finish(struct instance *instance, const struct text_set *cells,
                            const char *name, struct err *err);

/* A larger capacity, half as much again, and an array made as large; EXHAUSTED leaves
 * it. */
int64_t instance_capacity(int64_t capacity);
enum status instance_resize(void *array_pointer, int64_t count, size_t item_bytes,
                            struct err *err);

/* Why a text cannot be an id or a name; NULL when it can. */
const char *instance_id_fault(struct text id);

#endif
