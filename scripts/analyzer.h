/* analyzer.h - what clang-tidy cannot see from one file: a failure is never STATUS_OK. scripts/lint
 * includes it ahead of every file but base/err.c. */
#include "base/err.h"

#define err_set(err, status, ...)                                                        \
    ((void)(err_set)((err), (status), __VA_ARGS__), (status))
#define err_code(err, status, ...)                                                       \
    ((void)(err_code)((err), (status), __VA_ARGS__), (status))
