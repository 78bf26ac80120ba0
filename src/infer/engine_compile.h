/* engine_compile.h - which kernels score a forest, found by trying them. Private to
 * infer/. */
#ifndef REDRESS_INFER_ENGINE_COMPILE_H
#define REDRESS_INFER_ENGINE_COMPILE_H

#include "infer/kernel.h"

enum {
    ROW_RANGE_COUNT = 7, /* calls of 1, 2-3, 4-7, 8-15, 16-31, 32-63 and 64 rows */
    BLOCK_SLOT_COUNT_MAX = 2048, /* codes of a block are on the stack: 128 kB */
};

/* A kernel that won somewhere, with the forest compiled for it. */
struct compiled {
    const struct kernel *kernel;
    void *form;
    size_t bytes;
};

/* The kernels of one forest: for each range of rows the index of the fastest. */
struct selection {
    struct compiled compiled[ROW_RANGE_COUNT];
    int compiled_count;
    uint8_t of_range[ROW_RANGE_COUNT];
};

/* What may be spent on compiling the forests of an engine; each selection takes its
 * part. */
struct compile_budget {
    size_t bytes;     /* of forms: those kept, and those on trial */
    int64_t trial_ns; /* of trying kernels */
    int forest_count; /* still to come: each may take as much of trial_ns as the others */
};

/* The range that a number of rows, 1 to 64, falls into. */
int row_range(int row_count);

/* Compile the forest for every kernel that takes it and whose form is not out of
 * proportion, and keep the fastest, as far as the budget allows; may_block: also kernels
 * for blocks of rows. No kernel is selected when not even the simplest form is within the
 * budget. selection_release frees the forms. */
enum status selection_make(const struct forest *forest, const struct split *splits,
                           int slot_count, bool may_block, struct compile_budget *budget,
                           struct selection *selection, struct err *err);
void selection_release(struct selection *selection);

/* Run a block kernel over up to 64 rows, in as many pieces as it needs. */
void compiled_block(const struct kernel *kernel, const void *form, const uint8_t *codes,
                    int row_count, double *raw, size_t raw_stride);

/* bytes aligned to 64, on large pages when there are many; NULL when memory is out. Freed
 * with free(). Not zeroed. */
void *aligned_block(size_t bytes);

/* Everything but forest, splits and slot_count is worked out; false when memory is
 * out. */
bool kernel_forest_init(struct kernel_forest *source, const struct forest *forest,
                        const struct split *splits, int slot_count);
void kernel_forest_release(struct kernel_forest *source);

#endif
