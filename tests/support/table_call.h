/* table_call.h - the program on small tables that a test has written down. */
#ifndef REDRESS_TESTS_TABLE_CALL_H
#define REDRESS_TESTS_TABLE_CALL_H

/* Runs the words of a command (at most 32; one space between them) with a.csv, b.csv and
 * c.csv made of three texts, NULL for an empty one and \x1a for a NUL within, in the
 * folder of the group (folder.h): words that end in .csv are files of it, and so is
 * "plots", a place for pictures. Returns the exit code; the caller frees both texts. */
int table_call(const char *command, const char *const tables[3], char **output,
               char **messages);

/* One such run with the tables a and b, and what it must and must not say (NULL:
 * whatever); output and messages together. */
void table_expect(const char *command, const char *a, const char *b, int code,
                  const char *said, const char *not_said);

#endif
