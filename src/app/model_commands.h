/* model_commands.h - the commands that read model files, and what they share. */
#ifndef REDRESS_APP_MODEL_COMMANDS_H
#define REDRESS_APP_MODEL_COMMANDS_H

#include "app/options.h"
#include "infer/scorer.h"

command_main model_check, model_score;

/* What a path led to: a scorer for a bundle, else a bare model. */
struct loaded_model {
    enum model_format format;
    struct scorer *scorer;
    struct bundle_model model;
    char sha256[65];
};

/* Read a folder or file. A bundle's examples are not run yet. */
enum status loaded_model_open(const char *path, struct loaded_model *loaded,
                              struct err *err);
void loaded_model_close(struct loaded_model *loaded);

/* One line on stderr, whatever went wrong; returns EXIT_REFUSED. */
int model_refused(const char *path, const struct err *err);

#endif
