/* pacer.c - cells, and what they asked for in each quarter of an hour. */
#include "optimize/pacer_state.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    TABLE_COUNT = 2 * PACER_CELL_COUNT_MAX,
    RESUMED_SLOT_COUNT = 2 * PACER_DAY_SLOTS,
    HEAP_BYTES = 16, /* of each block, beside what is in it */
};

/* What is left of a count after a slot: half after a day, half after two hours. */
#define VOLUME_KEPT 0.99280572
#define RECENT_KEPT 0.91700404

/* --- cells ------------------------------------------------------------------------------------ */

static int table_place(const struct pacer *pacer, uint64_t hash)
{
    uint64_t place = hash * UINT64_C(0x9E3779B97F4A7C15) >> 51; /* 13 bits */

    static_assert(TABLE_COUNT == 1 << 13);
    while (pacer->table[place] >= 0 && pacer->cells[pacer->table[place]]->hash != hash)
        place = (place + 1) % TABLE_COUNT;
    return (int)place;
}

int pacer_find_cell(struct pacer *pacer, uint64_t hash)
{
    int place = table_place(pacer, hash);
    struct pacer_cell *cell;

    if (pacer->table[place] >= 0)
        return pacer->table[place];
    cell = pacer->cell_count < PACER_CELL_COUNT_MAX ? calloc(1, sizeof *cell) : NULL;
    if (!cell)
        return PACER_CELL_OF_OTHERS;
    cell->hash = hash;
    pacer->cells[pacer->cell_count] = cell;
    pacer->table[place] = pacer->cell_count;
    return pacer->cell_count++;
}

enum status pacer_open(struct pacer **pacer, struct err *err)
{
    struct pacer *opened = calloc(1, sizeof *opened);

    demand_begin();
    if (opened) {
        opened->cells = calloc(PACER_CELL_COUNT_MAX, sizeof *opened->cells);
        opened->table = malloc(TABLE_COUNT * sizeof *opened->table);
    }
    if (!opened || !opened->cells || !opened->table) {
        pacer_close(opened);
        return err_set(err, STATUS_EXHAUSTED, "no memory for the pacer");
    }
    memset(opened->table, -1, TABLE_COUNT * sizeof *opened->table);
    for (int i = 0; i < PACER_SLOT_COUNT; i++)
        opened->slots[i].number = -1;
    opened->slot_now = opened->forgotten = -1;
    opened->known_us = INT64_MAX;
    pacer_find_cell(opened, 0);
    if (opened->cell_count == 0) {
        pacer_close(opened);
        return err_set(err, STATUS_EXHAUSTED, "no memory for the pacer");
    }
    *pacer = opened;
    return STATUS_OK;
}

static int64_t sheet_bytes(int bin_count)
{
    return (int64_t)(sizeof(struct sheet) + HEAP_BYTES +
                     (size_t)bin_count * sizeof(struct sheet_bin));
}

static void slot_clear(struct pacer *pacer, struct slot *slot)
{
    while (slot->sheets) {
        struct sheet *next = slot->sheets->next;

        pacer->sheets_bytes -= sheet_bytes(slot->sheets->bin_count);
        free(slot->sheets);
        slot->sheets = next;
    }
    *slot = (struct slot){.number = -1};
}

void pacer_close(struct pacer *pacer)
{
    if (!pacer)
        return;
    for (int i = 0; i < PACER_SLOT_COUNT; i++)
        slot_clear(pacer, &pacer->slots[i]);
    for (int i = 0; i < pacer->cell_count; i++)
        free(pacer->cells[i]);
    for (int i = 0; i < PACER_HORIZON_COUNT_MAX; i++)
        free(pacer->horizons[i].parts);
    free(pacer->room);
    free(pacer->cells);
    free(pacer->table);
    free(pacer);
}

/* --- the past --------------------------------------------------------------------------------- */

struct slot *pacer_slot(struct pacer *pacer, int64_t number)
{
    struct slot *slot = number >= 0 ? &pacer->slots[number % PACER_SLOT_COUNT] : NULL;

    return slot && slot->number == number ? slot : NULL;
}

void sheet_add(const struct sheet *sheet, double scale, struct demand *demand)
{
    demand->case_count += scale * sheet->case_count;
    demand->base += scale * sheet->base;
    if (sheet->bin_count == 0)
        return;
    demand_reach(demand, sheet->bins[0].bin, sheet->bins[sheet->bin_count - 1].bin + 1);
    for (int i = 0; i < sheet->bin_count; i++)
        demand->charges[sheet->bins[i].bin] += (float)scale * sheet->bins[i].charge;
}

static bool is_known(const struct pacer *pacer, int64_t number)
{
    return number < pacer->slot_now && number > pacer->slot_now - PACER_SLOT_COUNT &&
           pacer->known_us <= number * PACER_SLOT_US;
}

/* The same weekday first, then the day before, then those before that. */
int64_t pacer_reference(const struct pacer *pacer, int64_t number)
{
    int64_t days =
        (number - pacer->slot_now) / PACER_DAY_SLOTS + 1; /* at least so many back */
    int64_t weeks;

    days = days > 1 ? days : 1;
    weeks = (days + 6) / 7;
    if (is_known(pacer, number - 7 * weeks * PACER_DAY_SLOTS))
        return number - 7 * weeks * PACER_DAY_SLOTS;
    for (int64_t day = days; day < days + PACER_HISTORY_DAYS; day++)
        if (is_known(pacer, number - day * PACER_DAY_SLOTS))
            return number - day * PACER_DAY_SLOTS;
    return -1;
}

static void forget_reference(struct pacer *pacer)
{
    pacer->reference_now = -1;
    pacer->expected_now = 0;
    for (int i = 0; i < pacer->cell_count; i++) {
        pacer->cells[i]->reference_now = NULL;
        pacer->cells[i]->expected_now = 0;
    }
}

static struct slot *oldest_slot(struct pacer *pacer)
{
    struct slot *oldest = NULL;

    for (int i = 0; i < PACER_SLOT_COUNT; i++)
        if (pacer->slots[i].sheets &&
            (!oldest || pacer->slots[i].number < oldest->number))
            oldest = &pacer->slots[i];
    return oldest;
}

/* What this slot and those before it said is not known any more. */
static void forget_slot(struct pacer *pacer, int64_t number)
{
    struct slot *slot = pacer_slot(pacer, number);

    pacer->forgotten = number;
    if (pacer->known_us < (number + 1) * PACER_SLOT_US)
        pacer->known_us = (number + 1) * PACER_SLOT_US;
    if (pacer->reference_now == number)
        forget_reference(pacer);
    if (slot)
        slot_clear(pacer, slot);
}

/* The oldest slots go when the sheets take too much. False: so does the one that asks. */
static bool make_room(struct pacer *pacer, int64_t number, int64_t bytes)
{
    while (number > pacer->forgotten &&
           pacer->sheets_bytes + bytes > PACER_SHEETS_BYTES_MAX) {
        const struct slot *oldest = oldest_slot(pacer);

        forget_slot(pacer, oldest->number < number ? oldest->number : number);
    }
    return number > pacer->forgotten;
}

enum status pacer_keep(struct pacer *pacer, int64_t number, int cell,
                       const struct demand *demand, bool is_changed, struct err *err)
{
    struct slot *slot = &pacer->slots[number % PACER_SLOT_COUNT];
    struct sheet *sheet;
    int count = 0;

    if (slot->number > number)
        return STATUS_OK; /* too old to be told apart from a later one */
    for (int i = demand->low; i < demand->high; i++)
        count += demand->charges[i] > 0;
    if (!make_room(pacer, number, sheet_bytes(count)))
        return STATUS_OK;
    sheet = calloc(1, sizeof *sheet + (size_t)count * sizeof sheet->bins[0]);
    if (!sheet)
        return err_set(err, STATUS_EXHAUSTED, "no memory for a curve of demand");
    if (slot->number != number) {
        slot_clear(pacer, slot);
        slot->number = number;
    }
    sheet->cell = cell;
    sheet->case_count = demand->case_count;
    sheet->base = demand->base;
    for (int i = demand->low; i < demand->high; i++)
        if (demand->charges[i] > 0)
            sheet->bins[sheet->bin_count++] = (struct sheet_bin){i, demand->charges[i]};
    sheet->is_changed = is_changed;
    slot->has_changed = slot->has_changed || is_changed;
    slot->case_count += sheet->case_count;
    sheet->next = slot->sheets;
    slot->sheets = sheet;
    pacer->sheets_bytes += sheet_bytes(count);
    return STATUS_OK;
}

/* --- from slot to slot ------------------------------------------------------------------------ */

double pacer_slot_share(const struct pacer *pacer, int64_t now_us)
{
    double share = (double)(now_us - pacer->slot_now * PACER_SLOT_US) / PACER_SLOT_US;

    return share < 0 ? 0 : share > 1 ? 1 : share;
}

/* What is now becomes the past. */
static void end_cell(struct pacer *pacer, int index)
{
    struct pacer_cell *cell = pacer->cells[index];
    double usual = pacer_usual_share(cell);

    if (pacer->reference_now >= 0)
        cell->seen += cell->usual_now;
    cell->seen *= VOLUME_KEPT;
    cell->expected = VOLUME_KEPT * (cell->expected + cell->expected_now);
    if (cell->recent.case_count > 0)
        demand_scale(&cell->recent, RECENT_KEPT);
    if (cell->now.case_count <= 0)
        return;
    demand_add(&cell->recent, &cell->now, usual * RECENT_KEPT);
    /* Without memory the slot is as if nothing had been asked for: prices are then a
     * little off. */
    if (pacer_keep(pacer, pacer->slot_now, index, &cell->now,
                   cell->saved_count != cell->now.case_count, NULL) == STATUS_OK)
        cell->saved_count = cell->told_count = 0;
    demand_clear(&cell->now);
    cell->usual_now = 0;
}

static void end_slot(struct pacer *pacer)
{
    int64_t since_us = pacer->slot_now * PACER_SLOT_US;
    int64_t known_us =
        since_us + PACER_SLOT_US -
        (pacer->noted_since_us > since_us ? pacer->noted_since_us : since_us);

    for (int i = 0; i < pacer->cell_count; i++)
        end_cell(pacer, i);
    if (pacer->reference_now >= 0)
        pacer->seen += pacer->usual_now;
    pacer->seen *= VOLUME_KEPT;
    pacer->expected = VOLUME_KEPT * (pacer->expected + pacer->expected_now);
    pacer->recent_us = RECENT_KEPT * (pacer->recent_us + (double)known_us);
    pacer->recent_expected = RECENT_KEPT * (pacer->recent_expected + pacer->expected_now);
}

/* Slots in which nothing came: what is recent grows older. */
static void skip_slots(struct pacer *pacer, int64_t count)
{
    double volume = pow(VOLUME_KEPT, (double)count);
    double recent = pow(RECENT_KEPT, (double)count);

    for (int i = 0; i < pacer->cell_count; i++) {
        struct pacer_cell *cell = pacer->cells[i];

        cell->seen *= volume;
        cell->expected *= volume;
        demand_scale(&cell->recent, recent);
    }
    pacer->seen *= volume;
    pacer->expected *= volume;
    pacer->recent_us = recent * pacer->recent_us +
                       (double)PACER_SLOT_US * (1 - recent) / (1 - RECENT_KEPT);
    pacer->recent_expected *= recent;
}

static void expect_day(struct pacer *pacer)
{
    pacer->day_expected = 0;
    for (int i = 0; i < PACER_DAY_SLOTS; i++) {
        const struct slot *slot =
            pacer_slot(pacer, pacer_reference(pacer, pacer->slot_now + i));

        pacer->day_expected += slot ? slot->case_count : 0;
    }
}

static void begin_slot(struct pacer *pacer)
{
    int64_t reference = pacer_reference(pacer, pacer->slot_now);
    const struct slot *slot = pacer_slot(pacer, reference);

    forget_reference(pacer);
    pacer->reference_now = reference;
    pacer->usual_now = 0;
    for (const struct sheet *s = slot ? slot->sheets : NULL; s; s = s->next) {
        pacer->cells[s->cell]->reference_now = s;
        pacer->cells[s->cell]->expected_now = s->case_count;
        pacer->expected_now += s->case_count;
    }
    expect_day(pacer);
    pacer->horizon_count = 0;
}

/* After a restart: the slot goes on where it was saved. */
static void resume_slot(struct pacer *pacer)
{
    struct slot *slot = pacer_slot(pacer, pacer->slot_now);

    if (!slot)
        return;
    for (const struct sheet *s = slot->sheets; s; s = s->next) {
        struct pacer_cell *cell = pacer->cells[s->cell];

        sheet_add(s, 1, &cell->now);
        cell->usual_now = cell->now.case_count;
        cell->saved_count = s->is_changed ? 0 : cell->now.case_count;
        pacer->usual_now += s->case_count;
    }
    slot_clear(pacer, slot);
}

/* What was loaded of the last days goes by once more: how today compares with the days
 * before, and what came of late, is known again. */
static void resume(struct pacer *pacer, int64_t now_us)
{
    int64_t number = now_us / PACER_SLOT_US;
    int64_t first = number - RESUMED_SLOT_COUNT;

    if (first < pacer->known_us / PACER_SLOT_US)
        first = pacer->known_us / PACER_SLOT_US;
    pacer->noted_since_us = first < number ? first * PACER_SLOT_US : now_us;
    for (; first < number; first++) {
        pacer->slot_now = first;
        begin_slot(pacer);
        resume_slot(pacer);
        end_slot(pacer);
    }
    pacer->slot_now = number;
    if (now_us < pacer->known_us)
        pacer->known_us = now_us;
    begin_slot(pacer);
    resume_slot(pacer);
}

/* The clock was ahead and is set right: what came after now was never so. The rest is as
 * after a restart. */
static void turn_back(struct pacer *pacer, int64_t now_us)
{
    for (int i = 0; i < PACER_SLOT_COUNT; i++)
        if (pacer->slots[i].number > now_us / PACER_SLOT_US)
            slot_clear(pacer, &pacer->slots[i]);
    for (int i = 0; i < pacer->cell_count; i++)
        *pacer->cells[i] = (struct pacer_cell){.hash = pacer->cells[i]->hash};
    if (pacer->forgotten >= now_us / PACER_SLOT_US)
        pacer->forgotten = -1;
    memset(pacer->pools, 0, sizeof pacer->pools);
    memset(pacer->incidents, 0, sizeof pacer->incidents);
    pacer->pool_count = 0;
    pacer->slot_now = -1;
    pacer->latest_us = 0;
    pacer->seen = pacer->expected = 0;
    pacer->recent_us = pacer->recent_expected = 0;
}

int64_t pacer_advance(struct pacer *pacer, int64_t now_us)
{
    int64_t number = now_us / PACER_SLOT_US;

    if (pacer->slot_now >= 0 && now_us < pacer->latest_us - PACER_BACK_US)
        turn_back(pacer, now_us);
    if (pacer->slot_now < 0)
        resume(pacer, now_us);
    if (now_us > pacer->latest_us)
        pacer->latest_us = now_us;
    if (number <= pacer->slot_now)
        return pacer->latest_us;
    end_slot(pacer);
    if (number > pacer->slot_now + 1)
        skip_slots(pacer, number - pacer->slot_now - 1);
    pacer->slot_now = number;
    begin_slot(pacer);
    return pacer->latest_us;
}

bool pacer_note(struct pacer *pacer, const struct pacer_case *noted)
{
    int64_t at_us = pacer_advance(pacer, noted->at_us);
    struct demand_steps steps;
    struct pacer_cell *cell;
    bool was_active;
    double usual;

    cell = pacer->cells[pacer_find_cell(pacer, noted->cell)];
    demand_steps_make(noted->options, noted->option_count, &steps);
    demand_add_case(&cell->now, &steps, (double)noted->entitled);
    was_active = cell->incident > 0;
    usual = incident_note(pacer, cell, at_us);
    cell->usual_now += usual;
    pacer->usual_now += usual;
    return cell->incident > 0 && !was_active;
}
