/* version.c - which program this is; the only file that is compiled anew with each
 * revision. */
#include "app/commands.h"

#include <stdbool.h>
#include <stdio.h>

#ifndef REDRESS_VERSION
#define REDRESS_VERSION "0.0.0"
#endif
#ifndef REDRESS_REVISION
#define REDRESS_REVISION "unknown"
#endif

const char *version_build(void)
{
    return "redress " REDRESS_VERSION " (" REDRESS_REVISION ")";
}

int command_version(int argc, char **argv)
{
    bool is_json = false;
    const struct option_spec options[] = {
        {.name = "json", .kind = OPTION_FLAG, .target = &is_json, .help = "Print JSON."},
        {0},
    };
    const struct command_usage usage = {
        .synopsis = "version [--json]",
        .summary = "Print the version and the revision it was built from.",
        .options = options,
    };
    const char *positionals[1];
    int code = options_parse(&usage, argc, argv, positionals);

    if (code != OPTIONS_GO_ON)
        return code;
    if (is_json)
        puts("{\"version\": \"" REDRESS_VERSION "\", \"revision\": \"" REDRESS_REVISION
             "\"}");
    else
        puts(version_build());
    return EXIT_DONE;
}
