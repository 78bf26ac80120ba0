/* load.h - a served policy or model that a prepared action holds until it is over. Private to
 * decide/. */
#ifndef REDRESS_DECIDE_LOAD_H
#define REDRESS_DECIDE_LOAD_H

#include "decide/world.h"

/* A world of one, for action->world: what is in it is given back with the action, however that
 * ends. The caller's hold passes over, also on failure. */
enum status world_of_policy(struct served_policy *policy, struct world **world,
                            struct err *err);
enum status world_of_model(struct served_model *model, struct world **world,
                           struct err *err);

/* Read a bundle's examples and serve it under a name; takes the bundle over. */
enum status model_serve(struct bundle *bundle, const char *name, int64_t version,
                        struct served_model **served, struct err *err);

/* Fill the holder with the newest policies and the champions, at start. What cannot be loaded is
 * logged and left out. */
enum status world_load(struct store *reader, struct world_holder *worlds,
                       struct err *err);

/* A served model or policy revision as stored, not necessarily in force, checked again; the caller
 * has the first hold on it. For replay. */
enum status model_open(struct store *reader, const char *name, int64_t version,
                       struct served_model **served, struct err *err);
enum status policy_open(struct store *reader, const char *id, int64_t revision,
                        struct served_policy **served, struct err *err);

#endif
