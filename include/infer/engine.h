/* engine.h - forests compiled to score one case, or many, as fast as the machine can: the
 * very numbers of forest_raw (evaluate.h), to the bit, whatever the machine and however
 * many rows share a call.
 *
 * Values are turned into small codes once per row for all forests; then the fastest of
 * several kernels scores each forest. Which one that is, for one row and for more, is
 * measured when the engine is opened (about a millisecond per forest of 500 trees) and
 * never shows in the numbers. For the most that a bundle can hold, opening takes less
 * than 512 MB and a second or so: what would take more is scored by a simpler kernel, or
 * as it was read.
 *
 * The environment variable REDRESS_ISA=portable|avx2|avx512|vbmi limits the instructions
 * that are used; it and a clock are all that is read of the outside, and only when an
 * engine is opened.
 *
 * Immutable after opening: any number of threads may score at once, without locks,
 * without allocating; what a call needs is on its stack (less than 200 kB). */
#ifndef REDRESS_INFER_ENGINE_H
#define REDRESS_INFER_ENGINE_H

#include "base/err.h"
#include "model/forest.h"

struct engine; /* opaque */

/* INVALID when REDRESS_ISA names no instruction set; one that the machine does not have
 * is fine. */
enum status engine_check(struct err *err);

/* Compile forests that look at the same features. They are borrowed and must outlive the
 * engine. INVALID when REDRESS_ISA is set to something else; EXHAUSTED without memory. */
enum status engine_open(const struct forest *const *forests, int forest_count,
                        struct engine **engine, struct err *err);
void engine_close(struct engine *engine); /* NULL is fine */

int engine_feature_count(
    const struct engine *engine); /* of a row: the most of any forest */
int engine_output_count(const struct engine *engine); /* groups of all forests */

/* The first output of a forest. */
int engine_output_of(const struct engine *engine, int forest);

/* Raw scores over all rounds: rows (row, feature), NaN is missing -> raw (row, output),
 * the outputs of the forests one after the other. */
void engine_raw(const struct engine *engine, const double *rows, int row_count,
                double *raw);

/* The same of one forest: raw (row, group). */
void engine_raw_of(const struct engine *engine, int forest, const double *rows,
                   int row_count, double *raw);

/* Which kernel scores a forest when so many rows share a call, for people. */
const char *engine_kernel_name(const struct engine *engine, int forest, int row_count);

#endif
