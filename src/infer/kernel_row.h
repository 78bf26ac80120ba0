/* kernel_row.h - what the vector kernels for single rows have in common: few slots per forest, so
 * that the codes stay in registers, and the sum of the leaves in the order of the trees.
 *
 * Private to kernel_row_*.c. */
#ifndef REDRESS_INFER_KERNEL_ROW_H
#define REDRESS_INFER_KERNEL_ROW_H

#include "infer/kernel.h"

enum { LOCAL_SLOT_COUNT_MAX = 256 };

/* The slots that one forest looks at: a window of all slots where that is narrow enough, else a
 * list. */
struct local_slots {
    int32_t count; /* room for codes: 64, 128 or 256 */
    int32_t first; /* of the window; -1: a list */
    int32_t list_count;
    uint16_t list[LOCAL_SLOT_COUNT_MAX];
};

/* False when the forest looks at more than LOCAL_SLOT_COUNT_MAX. */
bool local_slots_find(const struct kernel_forest *source, struct local_slots *slots);

/* What a slot is called among the forest's own. */
int local_slot(const struct local_slots *slots, int slot);

/* The codes of the forest's slots: within codes, or copied to room. */
static inline const uint8_t *local_codes(const struct local_slots *slots,
                                         const uint8_t *codes,
                                         uint8_t room[LOCAL_SLOT_COUNT_MAX])
{
    if (slots->first >= 0)
        return codes + slots->first;
    for (int i = 0; i < slots->list_count; i++)
        room[i] = codes[slots->list[i]];
    return room;
}

static inline size_t aligned_after(size_t position, size_t count, size_t item_bytes)
{
    return (position + count * item_bytes + KERNEL_ALIGNMENT - 1) / KERNEL_ALIGNMENT *
           KERNEL_ALIGNMENT;
}

#endif
