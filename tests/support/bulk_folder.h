/* bulk_folder.h - decisions by the million, written straight into a store. */
#ifndef REDRESS_TESTS_BULK_FOLDER_H
#define REDRESS_TESTS_BULK_FOLDER_H

#include <stdint.h>

/* Add so many decisions with their answers and entries to the data folder of the demo, on
 * which no service runs. All are held, for years, in a budget of their own that no case
 * falls under. A failed write ends the test. */
void bulk_folder_fill(const char *folder, int64_t decision_count);

#endif
