/* table_call.h - the program on small tables that a test has written down. */
#ifndef REDRESS_TESTS_TABLE_CALL_H
#define REDRESS_TESTS_TABLE_CALL_H

/* Runs the words of a command (at most 32; one space between them) with a.csv, b.csv and c.csv made of three
 * texts, NULL for an empty one and \x1a for a NUL within, in the folder of the group (folder.h): words that end in .csv are files of it, and
 * so is "plots", a place for pictures. Returns the exit code; the caller frees both texts. */
int table_call(const char *command, const char *const tables[3], char **output,
               char **messages);

#endif
