/* load.h - policies and models out of the store, checked, ready to be served. Private to
 * decide/. */
#ifndef REDRESS_DECIDE_LOAD_H
#define REDRESS_DECIDE_LOAD_H

#include "decide/world.h"

/* Read a bundle's examples and serve it under a name; takes the bundle over. */
enum status model_serve(struct bundle *bundle, const char *name, int64_t version,
                        struct served_model **served, struct err *err);

/* Fill the holder with the newest policies and the champions, at start. What cannot be
 * loaded is logged and left out. */
enum status world_load(struct store *reader, struct world_holder *worlds,
                       struct err *err);

/* A served model or policy revision as stored, not necessarily in force, checked again;
 * the caller has the first hold on it. For replay. */
enum status model_open(struct store *reader, const char *name, int64_t version,
                       struct served_model **served, struct err *err);
enum status policy_open(struct store *reader, const char *id, int64_t revision,
                        struct served_policy **served, struct err *err);

#endif
