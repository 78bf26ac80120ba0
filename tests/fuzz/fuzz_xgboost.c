/* fuzz_xgboost.c - any bytes as an XGBoost model. */
#include "fuzz/forest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    forest_try(forest_read_xgboost, (const char *)data, size);
    return 0;
}
