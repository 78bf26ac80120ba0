/* traffic_state.h - what traffic is made of. Shared by the files of traffic only. */
#ifndef REDRESS_DECIDE_TRAFFIC_STATE_H
#define REDRESS_DECIDE_TRAFFIC_STATE_H

#include "decide/cells.h"
#include "decide/traffic.h"

#include <pthread.h>

enum { NOTE_COUNT = 1024, NOTE_OPTION_COUNT = NOTE_COUNT * 12 };

struct list {
    struct pacer_case notes[NOTE_COUNT];
    struct pacer_option options[NOTE_OPTION_COUNT];
    int count, option_count;
    int kept_count, kept_option_count; /* of them: of transactions that are on disk */
};

struct traffic {
    pthread_mutex_t lock; /* all but what the pacer's lock is for */
    pthread_cond_t has_news;
    struct list *filling;
    struct cells *cells;
    cell_covers *covers;
    void *context;
    int64_t noted_count;   /* since the start */
    int64_t awaited_count; /* of them: when the prices are to be solved again */
    bool must_wake;
    int64_t solve_us; /* what the last solve took of a core */

    pthread_mutex_t pacer_lock; /* taken before lock */
    struct pacer *pacer;
    struct list *learning;
};

#endif
