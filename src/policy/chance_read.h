/* chance_read.h - exploration and holdout, from a policy's document. */
#ifndef REDRESS_POLICY_CHANCE_READ_H
#define REDRESS_POLICY_CHANCE_READ_H

#include "policy/document.h"
#include "policy/rules.h"

/* target: struct explore_rule, struct holdout. */
void read_exploration(struct document *document, const json_t *value, const char *pointer,
                      void *target);
void read_holdout(struct document *document, const json_t *value, const char *pointer,
                  void *target);

#endif
