/* ledger_stage.h - the stage of ledger_drive.c: the service and the plain ledger side by
 * side, asked and compared. Everything that differs ends the program with what was done
 * before. */
#ifndef REDRESS_TESTS_LEDGER_STAGE_H
#define REDRESS_TESTS_LEDGER_STAGE_H

#include "decide/service.h"
#include "support/door.h"
#include "support/ledger_drive.h"
#include "support/ledger_model.h"
#include "support/store_fault_vfs.h"

enum {
    REMEMBERED_COUNT = 16,
    LOG_BYTES = 64 << 10,
    BODY_BYTES = 640,
};

/* An operation that was done, to be asked again. */
struct remembered {
    const char *method;
    char path[96], key[32], body[BODY_BYTES];
    char *answer;
    int status;
};

struct drive {
    const uint8_t *at, *end;
    struct drive_tally *tally;
    char folder[64];
    struct clock clock;
    struct service *service;
    struct door door;
    struct ledger_model model;
    char ids[MODEL_DECISION_COUNT_MAX][40];
    struct remembered remembered[REMEMBERED_COUNT];
    int remembered_count, key_count;
    int64_t seq;        /* of the last entry that was compared */
    char last_hash[65]; /* and its hash */
    struct {
        enum fault_kind kind; /* FAULT_NONE: none */
        int nth;
        bool is_lasting;
    } fault; /* of the next operation */
    char log[LOG_BYTES];
    size_t log_bytes;
};

/* Remember a line of what is done. */
__attribute__((format(printf, 2, 3))) void stage_note(struct drive *drive,
                                                      const char *format, ...);
__attribute__((format(printf, 2, 3), noreturn)) void stage_differ(
    const struct drive *drive, const char *format, ...);

/* A new, empty service with a budget bud_o0 over all cases. */
void stage_begin(struct drive *drive);
/* The store's own check has to find nothing; then it goes. */
void stage_end(struct drive *drive);

/* Close and open, the clock set back between. */
void stage_reopen(struct drive *drive, int64_t back_us);
/* As if the process had been killed: go on from what is in the files now. */
void stage_crash(struct drive *drive);

/* Let drive->fault strike from here on; whether it did. */
void stage_fault_begin(struct drive *drive);
bool stage_fault_end(struct drive *drive);

/* Ask; in trouble, which only a fault excuses, nothing has changed unless that is not
 * known. Then ask again, after a restart where nothing else helps. */
struct said stage_ask(struct drive *drive, const struct asked *asked);
/* The same with a key of its own, and remember it when it was done. */
struct said stage_ask_once(struct drive *drive, const char *method, const char *path,
                           const char *if_match, const char *body);

/* The answer is the one expected; true when it was done. */
bool stage_compare(struct drive *drive, const struct said *said,
                   struct expected expected);
void stage_compare_int(const struct drive *drive, const json_t *found, const char *what,
                       const char *member, int64_t wanted);
void stage_compare_budget(const struct drive *drive, const json_t *found, int index);
/* Amount, status, and what each covering budget has left, of the newest decision, whose
 * id is noted. */
void stage_compare_decision(struct drive *drive, const struct said *said);
/* All budgets, and the entries that came since. */
void stage_compare_all(struct drive *drive);
/* How many these are. */
int stage_new_entry_count(struct drive *drive);

#endif
