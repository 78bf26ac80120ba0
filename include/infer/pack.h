/* pack.h - a forest packed for scoring one row quickly in portable C: small nodes, several trees
 * walked abreast, no branch that depends on the row.
 *
 * Gives the very bits of forest_raw (evaluate.h), which stays the reference. Immutable; any number
 * of threads. */
#ifndef REDRESS_INFER_PACK_H
#define REDRESS_INFER_PACK_H

#include "base/err.h"
#include "model/forest.h"

struct pack; /* opaque */

/* *pack is NULL, and the status OK, for a forest that this form cannot hold (categorical splits,
 * infinite thresholds, very deep or very wide): use forest_raw. The forest must outlive the pack. */
enum status pack_open(const struct forest *forest, struct pack **pack, struct err *err);
void pack_close(struct pack *pack); /* NULL is fine */

/* Raw scores over all rounds: row (feature_count) -> raw (group_count). */
void pack_raw(const struct pack *pack, const double *row, double *raw);

#endif
