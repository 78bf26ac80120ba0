/* json_schema.h - whether a JSON value is what a schema of docs/openapi.json says it is.
 *
 * The keywords of JSON Schema 2020-12 that the document uses; any other is a refusal, so
 * that no rule goes unnoticed. References lead into the document. */
#ifndef REDRESS_TESTS_JSON_SCHEMA_H
#define REDRESS_TESTS_JSON_SCHEMA_H

#include <jansson.h>
#include <stdbool.h>

enum { SCHEMA_WHY_BYTES = 512 };

/* The schema, or what its $ref leads to; NULL when that is nowhere. */
const json_t *schema_resolve(const json_t *document, const json_t *schema);

/* Else why says what is wrong, and where. */
bool schema_accepts(const json_t *document, const json_t *schema, const json_t *value,
                    char why[static SCHEMA_WHY_BYTES]);

/* The same, and every member of an object whose schema names members is among them: for
 * answers, whose schemas are left open for members to come. */
bool schema_describes(const json_t *document, const json_t *schema, const json_t *value,
                      char why[static SCHEMA_WHY_BYTES]);

#endif
