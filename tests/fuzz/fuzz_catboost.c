/* fuzz_catboost.c - any bytes as a CatBoost model. */
#include "fuzz/forest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    forest_try(forest_read_catboost, (const char *)data, size);
    return 0;
}
