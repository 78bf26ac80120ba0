/* chance.h - chance from keyed hashes: the same for the same, foreseen by nobody without
 * the key. Private to decide/. */
#ifndef REDRESS_DECIDE_CHANCE_H
#define REDRESS_DECIDE_CHANCE_H

#include "base/text.h"
#include "store/registry.h"

/* What draws are made with: made at the first start, then always the same. store is a
 * writer outside of a transaction. */
enum status chance_secret(struct store *store, unsigned char secret[static SECRET_BYTES],
                          struct err *err);

/* Whether a start could read them, or would make them; store may be a reader. */
enum status chance_look(struct store *store, struct err *err);

/* Uniform in [0, 1), 53 bits: keyed BLAKE2b of what makes a retry the same request. */
double chance_draw(const unsigned char secret[static SECRET_BYTES], struct text of);

/* Where a customer stands between 0 and 1, for good: the first 53 bits of HMAC-SHA-256 of
 * the customer's id under the salt, so that anybody who has both can say who is held
 * out. */
double chance_of_customer(const char *salt, struct text customer_id);

#endif
