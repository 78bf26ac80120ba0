/* document.h - what documents show is what programs print. */
#ifndef REDRESS_TESTS_DOCUMENT_H
#define REDRESS_TESTS_DOCUMENT_H

/* Fail the test, saying what is missing, unless these lines stand in the document as they
 * are. The path is seen from the root of the sources, where tests run. */
void assert_document_shows(const char *path, const char *lines);

#endif
