/* fuzz_lightgbm.c - any bytes as a LightGBM model. */
#include "fuzz/forest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    forest_try(forest_read_lightgbm, (const char *)data, size);
    return 0;
}
