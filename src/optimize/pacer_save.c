/* pacer_save.c - curves as bytes: little-endian, a version, counts, then the bins that
 * have something. */
#include "optimize/pacer_state.h"

#include <assert.h>
#include <endian.h>
#include <math.h>
#include <string.h>

enum {
    FORMAT = 1,
    HEAD_BYTES = 24, /* format, count of bins, cases, base */
    BIN_BYTES = 8,   /* bin, charge */
    POSITION_BITS = 20,
};

#define CASE_COUNT_MAX 1e12
#define CHARGE_MAX     1e25

static_assert(HEAD_BYTES + BIN_BYTES * DEMAND_BIN_COUNT <= PACER_CURVE_BYTES_MAX);

/* --- numbers ---------------------------------------------------------------------------------- */

static unsigned char *put_32(unsigned char *at, uint32_t value)
{
    value = htole32(value);
    memcpy(at, &value, sizeof value);
    return at + sizeof value;
}

static unsigned char *put_double(unsigned char *at, double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    bits = htole64(bits);
    memcpy(at, &bits, sizeof bits);
    return at + sizeof bits;
}

static unsigned char *put_float(unsigned char *at, float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return put_32(at, bits);
}

static uint32_t take_32(const unsigned char *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof value);
    return le32toh(value);
}

static double take_double(const unsigned char *at)
{
    uint64_t bits;
    double value;

    memcpy(&bits, at, sizeof bits);
    bits = le64toh(bits);
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float take_float(const unsigned char *at)
{
    uint32_t bits = take_32(at);
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

/* --- out -------------------------------------------------------------------------------------- */

static unsigned char *put_head(struct pacer *pacer, int bin_count, double case_count,
                               double base)
{
    unsigned char *at = put_32(pacer->bytes, FORMAT);

    at = put_32(at, (uint32_t)bin_count);
    at = put_double(at, case_count);
    return put_double(at, base);
}

static unsigned char *put_bin(unsigned char *at, int bin, float charge)
{
    return put_float(put_32(at, (uint32_t)bin), charge);
}

static void tell(struct pacer *pacer, int cell, int64_t slot, const unsigned char *end,
                 struct pacer_curve *curve)
{
    *curve = (struct pacer_curve){.cell = pacer->cells[cell]->hash,
                                  .slot = slot,
                                  .bytes = pacer->bytes,
                                  .byte_count = (int)(end - pacer->bytes)};
}

static void tell_sheet(struct pacer *pacer, int64_t slot, struct sheet *sheet,
                       struct pacer_curve *curve)
{
    unsigned char *at = put_head(pacer, sheet->bin_count, sheet->case_count, sheet->base);

    for (int i = 0; i < sheet->bin_count; i++)
        at = put_bin(at, sheet->bins[i].bin, sheet->bins[i].charge);
    sheet->is_told = true;
    tell(pacer, sheet->cell, slot, at, curve);
}

static void tell_now(struct pacer *pacer, int index, struct pacer_curve *curve)
{
    struct pacer_cell *cell = pacer->cells[index];
    const struct demand *now = &cell->now;
    unsigned char *at;
    int count = 0;

    for (int i = now->low; i < now->high; i++)
        count += now->charges[i] > 0;
    at = put_head(pacer, count, now->case_count, now->base);
    for (int i = now->low; i < now->high; i++)
        if (now->charges[i] > 0)
            at = put_bin(at, i, now->charges[i]);
    cell->told_count = now->case_count;
    tell(pacer, index, pacer->slot_now, at, curve);
}

/* From a position on, the next changed sheet of a slot. */
static struct sheet *next_of_slot(struct pacer *pacer, int64_t number, int64_t *position)
{
    struct slot *slot = pacer_slot(pacer, number);
    int64_t i = 0;

    for (struct sheet *s = slot && slot->has_changed ? slot->sheets : NULL; s;
         s = s->next, i++)
        if (i >= *position && s->is_changed) {
            *position = i + 1;
            return s;
        }
    return NULL;
}

/* The cursor is the number of a slot and a position in it. */
bool pacer_next_changed(struct pacer *pacer, int64_t *cursor, struct pacer_curve *curve)
{
    int64_t number = *cursor >> POSITION_BITS;
    int64_t position = *cursor & ((1 << POSITION_BITS) - 1);

    if (number <= pacer->slot_now - PACER_SLOT_COUNT)
        number = pacer->slot_now - PACER_SLOT_COUNT + 1, position = 0;
    for (; number < pacer->slot_now; number++, position = 0) {
        struct sheet *sheet = next_of_slot(pacer, number, &position);

        if (!sheet)
            continue;
        *cursor = number << POSITION_BITS | position;
        tell_sheet(pacer, number, sheet, curve);
        return true;
    }
    for (; number == pacer->slot_now && position < pacer->cell_count; position++) {
        const struct pacer_cell *cell = pacer->cells[position];

        if (cell->now.case_count == cell->saved_count)
            continue;
        *cursor = number << POSITION_BITS | (position + 1);
        tell_now(pacer, (int)position, curve);
        return true;
    }
    return false;
}

void pacer_saved(struct pacer *pacer)
{
    for (int i = 0; i < PACER_SLOT_COUNT; i++) {
        struct slot *slot = &pacer->slots[i];

        if (!slot->has_changed)
            continue;
        slot->has_changed = false;
        for (struct sheet *s = slot->sheets; s; s = s->next) {
            s->is_changed = s->is_changed && !s->is_told;
            slot->has_changed = slot->has_changed || s->is_changed;
        }
    }
    for (int i = 0; i < pacer->cell_count; i++)
        if (pacer->cells[i]->told_count > 0) {
            pacer->cells[i]->saved_count = pacer->cells[i]->told_count;
            pacer->cells[i]->told_count = 0;
        }
}

/* --- in --------------------------------------------------------------------------------------- */

static bool is_amount(double value, double most)
{
    return isfinite(value) && value >= 0 && value <= most;
}

static enum status read_curve(const struct pacer_curve *curve, struct demand *demand,
                              struct err *err)
{
    const unsigned char *at = curve->bytes;
    uint32_t count;
    int last = -1;

    demand_clear(demand);
    if (curve->byte_count < HEAD_BYTES || take_32(at) != FORMAT)
        return err_set(err, STATUS_INVALID, "a curve of demand begins wrong");
    count = take_32(at + 4);
    demand->case_count = take_double(at + 8);
    demand->base = take_double(at + 16);
    if (count > DEMAND_BIN_COUNT ||
        curve->byte_count != HEAD_BYTES + BIN_BYTES * (int)count)
        return err_set(err, STATUS_INVALID, "a curve of demand has the wrong length");
    if (!is_amount(demand->case_count, CASE_COUNT_MAX) ||
        !is_amount(demand->base, CHARGE_MAX))
        return err_set(err, STATUS_INVALID, "a curve of demand counts wrong");
    at += HEAD_BYTES;
    for (uint32_t i = 0; i < count; i++, at += BIN_BYTES) {
        uint32_t bin = take_32(at);
        float charge = take_float(at + 4);

        if (bin >= DEMAND_BIN_COUNT || (int)bin <= last || !is_amount(charge, CHARGE_MAX))
            return err_set(err, STATUS_INVALID, "a curve of demand has a wrong bin");
        last = (int)bin;
        demand_reach(demand, last, last + 1);
        demand->charges[bin] = charge;
    }
    return STATUS_OK;
}

enum status pacer_load(struct pacer *pacer, const struct pacer_curve *curve,
                       struct err *err)
{
    struct demand demand;
    enum status rc = read_curve(curve, &demand, err);

    if (rc)
        return rc;
    if (curve->slot < 0 || curve->slot > INT64_MAX / PACER_SLOT_US - PACER_SLOT_COUNT ||
        pacer->slot_now >= 0)
        return err_set(err, STATUS_INVALID, "a curve of demand comes at the wrong time");
    rc = pacer_keep(pacer, curve->slot, pacer_find_cell(pacer, curve->cell), &demand,
                    false, err);
    if (!rc && curve->slot > pacer->forgotten &&
        curve->slot * PACER_SLOT_US < pacer->known_us)
        pacer->known_us = curve->slot * PACER_SLOT_US;
    return rc;
}
