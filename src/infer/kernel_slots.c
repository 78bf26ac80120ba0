/* kernel_slots.c - the slots that one forest looks at. */
#include "infer/kernel_slots.h"

bool local_slots_find(const struct kernel_forest *source, struct local_slots *slots)
{
    bool is_used[QUANTIZE_SLOT_COUNT_MAX] = {0};
    const struct forest *forest = source->forest;
    int first = 0, last = 0, count = 0;

    for (int i = 0; i < forest->node_count; i++)
        if (forest->nodes[i].feature >= 0)
            is_used[source->splits[i].slot] = true;
    *slots = (struct local_slots){0};
    for (int s = 0; s < source->slot_count; s++) {
        if (!is_used[s])
            continue;
        if (count == LOCAL_SLOT_COUNT_MAX)
            return false;
        if (count == 0)
            first = s;
        last = s;
        slots->list[count++] = (uint16_t)s;
    }
    slots->list_count = count;
    slots->count = count <= 64 ? 64 : count <= 128 ? 128 : LOCAL_SLOT_COUNT_MAX;
    slots->first = last - first < slots->count ? first : -1;
    slots->width = slots->first < 0 ? count : last - first + 1;
    return true;
}

int local_slot_index(const struct local_slots *slots, int slot)
{
    int from = 0, to = slots->list_count;

    while (to - from > 1) {
        int middle = (from + to) / 2;

        if (slots->list[middle] <= slot)
            from = middle;
        else
            to = middle;
    }
    return from;
}

int local_slot(const struct local_slots *slots, int slot)
{
    return slots->first >= 0 ? slot - slots->first : local_slot_index(slots, slot);
}
