/* ubj.h - the UBJ half of source.h: the same calls, for a source that is UBJ. */
#ifndef REDRESS_MODEL_UBJ_H
#define REDRESS_MODEL_UBJ_H

#include "model/source.h"

enum json_kind ubj_peek(struct source *source);
void ubj_enter_object(struct source *source, struct source_level *level);
bool ubj_member(struct source *source, struct source_level *level, struct text *key);
void ubj_enter_array(struct source *source, struct source_level *level);
bool ubj_item(struct source *source, struct source_level *level);
bool ubj_int(struct source *source, int64_t *value);
bool ubj_float(struct source *source, float *value);
bool ubj_bool(struct source *source, bool *value);
bool ubj_null(struct source *source);
bool ubj_text(struct source *source, struct text *value); /* borrowed */
bool ubj_skip(struct source *source);
enum status ubj_end(struct source *source);

#endif
