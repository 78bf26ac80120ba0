/* models.h - a model version as JSON. Private to decide/. */
#ifndef REDRESS_DECIDE_MODELS_H
#define REDRESS_DECIDE_MODELS_H

#include "decide/lists.h"
#include "store/registry.h"

/* With what its manifest says of it, when that was read; aliases: of its model, of which
 * those that point at it are listed. */
enum status put_version(struct json_writer *writer, const struct model_version *version,
                        const struct model_alias *aliases, int alias_count,
                        struct err *err);
size_t version_bytes(const struct model_version *version);

#endif
