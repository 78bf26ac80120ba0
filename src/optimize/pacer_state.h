/* pacer_state.h - what a pacer knows: cells, what they asked for in each quarter of an
 * hour, and how today compares with the days before. Shared by the files of the pacer
 * only. */
#ifndef REDRESS_OPTIMIZE_PACER_STATE_H
#define REDRESS_OPTIMIZE_PACER_STATE_H

#include "optimize/demand.h"

#define PACER_SLOT_US (INT64_C(900) * 1000000)

enum {
    PACER_DAY_SLOTS = 96,
    PACER_SLOT_COUNT = (PACER_HISTORY_DAYS + 1) * PACER_DAY_SLOTS,
    PACER_SHEETS_BYTES_MAX = 128 << 20, /* then the oldest slots go */
    PACER_HORIZON_COUNT_MAX = 64, /* kept until the next slot; with many cells fewer, */
    PACER_HORIZON_CELL_COUNT_MAX = 16 * PACER_CELL_COUNT_MAX, /* so many cells in all */
    PACER_INCIDENT_COUNT_MAX = 64, /* at a time; more are not noticed */
    PACER_CELL_OF_OTHERS = 0, /* index of the cell that those beyond the limit share */
};

/* The demand of one cell in one past slot, without its empty bins. */
struct sheet {
    struct sheet *next; /* of the slot */
    int cell;           /* index */
    int bin_count;
    bool is_changed, is_told; /* not saved yet; handed out to be saved */
    double case_count, base;
    struct sheet_bin {
        int32_t bin;
        float charge;
    } bins[];
};

struct slot {
    int64_t number; /* since 1970; -1: empty */
    struct sheet *sheets;
    double case_count;
    bool has_changed;
};

/* Evidence that cases come far faster than usual: of a cell, or of all cells of a
 * budget. */
struct watch {
    double score;
    double count;     /* of cases since it was 0, */
    int64_t since_us; /* which was then */
    int64_t latest_us;
};

/* The cells of a budget, those in an incident left out. */
struct pool {
    struct watch watch;
    double usual_rate; /* cases a second, as of the last solve */
};

/* Cases that came and that were to be expected, the older the less. */
struct burst {
    double count, usual;
    int64_t latest_us;
};

/* Far more cases than were to be expected, in one cell or in all cells of a budget. */
struct incident {
    bool is_active;
    int64_t since_us;
    double usual_rate; /* of its cells, cases a second, as of the last solve */
    struct burst burst;
    double over_score; /* evidence that it is over */
};

struct pacer_cell {
    uint64_t hash;
    struct demand now;    /* the slot now, so far */
    struct demand recent; /* the slots before, the older the less; incidents left out */
    double saved_count, told_count; /* of now.case_count: saved, handed out to be saved */
    const struct sheet
        *reference_now;    /* what the whole slot now asks for by the days before */
    double expected_now;   /* cases of it; 0 when there is none */
    double usual_now;      /* cases of the slot so far, those of an incident left out */
    double seen, expected; /* cases of the slots before, the older the less */
    int incident;          /* number of it, from 1; 0: none */
    struct burst burst;    /* since it was noticed */
    struct watch watch;
    int16_t pools[PACER_CELL_BUDGET_COUNT_MAX]; /* its budgets in the last solve */
    int pool_count;
};

/* What the days before say of the time from the next slot to an end. */
struct horizon {
    int64_t ends_us;
    struct demand *parts; /* (cell) */
    int cell_count, cell_capacity;
    double case_count;  /* of all cells */
    int64_t unknown_us; /* of it that they say nothing of */
};

struct pacer {
    struct pacer_cell **cells; /* room for PACER_CELL_COUNT_MAX */
    int cell_count;
    int *table; /* (PACER_TABLE_COUNT): index of a cell by its hash, -1: free */

    struct slot slots[PACER_SLOT_COUNT]; /* by number modulo their count */
    int64_t sheets_bytes;
    int64_t forgotten; /* slots up to this number had to go; -1: none */
    int64_t slot_now;  /* -1: none yet */
    int64_t known_us;  /* since when cases are noted without a gap; INT64_MAX: never */
    int64_t noted_since_us; /* since the start of this pacer */
    int64_t latest_us;      /* of a case or a solve */

    double day_expected;    /* cases of the day around now, by the days before */
    double expected_now;    /* cases of the slot now: by the days before, */
    double usual_now;       /* and so far, those of incidents left out */
    int64_t reference_now;  /* number of the slot that says so; -1: nothing is known */
    double seen, expected;  /* sums over the cells, incidents left out */
    double recent_us;       /* time behind recent, the older the less */
    double recent_expected; /* cases behind it, by the days before */

    struct pool pools[PACER_BUDGET_COUNT_MAX]; /* by the budgets of the last solve */
    int pool_count;
    bool has_stale_pools; /* not to be watched before the next solve */
    struct incident incidents[PACER_INCIDENT_COUNT_MAX];
    double ended_count, ended_us; /* incidents so far */

    struct horizon horizons[PACER_HORIZON_COUNT_MAX];
    int horizon_count;
    char *room; /* for solving */
    size_t room_bytes;
    unsigned char bytes[PACER_CURVE_BYTES_MAX];
};

/* --- pacer.c */

/* Index of a cell, made when it is new. */
int pacer_find_cell(struct pacer *pacer, uint64_t hash);

/* Go on to the slot of this moment: what was now becomes the past. Returns the moment it
 * is then: the latest of all, unless the clock was set back by more than PACER_BACK_US.
 * Then what came after it is forgotten. */
int64_t pacer_advance(struct pacer *pacer, int64_t now_us);

/* Keep a demand as the sheet of a past slot, if there is room for one so old. */
enum status pacer_keep(struct pacer *pacer, int64_t number, int cell,
                       const struct demand *demand, bool is_changed, struct err *err);

/* NULL when nothing was asked for in that slot. */
struct slot *pacer_slot(struct pacer *pacer, int64_t number);
void sheet_add(const struct sheet *sheet, double scale, struct demand *demand);

/* The slot of the past that says most of this one; -1 when none does. */
int64_t pacer_reference(const struct pacer *pacer, int64_t number);

/* Share of the slot now that is over. */
double pacer_slot_share(const struct pacer *pacer, int64_t now_us);

/* --- forecast.c */

/* How many times as many cases as the days before said: of all cells, of one. */
double pacer_volume(const struct pacer *pacer, int64_t now_us);
double pacer_volume_weight(const struct pacer *pacer); /* w N: what it is held back by */
double pacer_volume_seen(const struct pacer *pacer);   /* the cases it is made from */
double pacer_cell_volume(const struct pacer *pacer, const struct pacer_cell *cell,
                         double volume, int64_t now_us);

/* Of a cell's cases in the slot now, the share that is not an incident's. */
static inline double pacer_usual_share(const struct pacer_cell *cell)
{
    return cell->now.case_count > 0 ? cell->usual_now / cell->now.case_count : 1;
}

/* What is known of a cell's demand from the next slot to ends_us, until the next call.
 * NULL: no memory. To be asked for from the earliest end to the latest: each goes on from
 * the one before. */
struct horizon *pacer_horizon(struct pacer *pacer, int64_t ends_us);

/* Cases of all kinds from now to the end of the horizon, by the days before. */
double pacer_cases_ahead(const struct pacer *pacer, const struct horizon *horizon,
                         int64_t now_us);

/* What a cell will ask for from now to the end of the horizon. */
void pacer_forecast(struct pacer *pacer, const struct horizon *horizon, int cell,
                    int64_t now_us, struct demand *forecast);

/* --- incident.c */

/* A case came just now. Returns how much of it is to be counted as usual, 0 to 1. */
double incident_note(struct pacer *pacer, struct pacer_cell *cell, int64_t now_us);

/* What each budget's cells are, before a solve: begin, then add each cell. Incidents that
 * are over by now end. */
void incident_pools_begin(struct pacer *pacer, int pool_count, int64_t now_us);
void incident_pools_add(struct pacer *pacer, struct pacer_cell *cell, const int *pools,
                        int count, int64_t now_us);

/* Cases still to come of it, beyond what the days before say, up to ends_us. */
double incident_cases_left(const struct pacer *pacer, const struct pacer_cell *cell,
                           int64_t now_us, int64_t ends_us);

#endif
