/* manifest.h - from a manifest's JSON to a bundle without its models. */
#ifndef REDRESS_MODEL_MANIFEST_H
#define REDRESS_MODEL_MANIFEST_H

#include "model/bundle.h"

#include <jansson.h>

/* What a component says and cannot be settled before the models are read. */
struct manifest_component {
    const char *file;  /* in the bundle's arena */
    bool has_own_link; /* it does not name one: the model's own */
};

/* What is being read, and where the faults go. */
struct manifest {
    json_t *root;
    struct bundle *bundle;
    struct manifest_component *components; /* of the bundle, in its arena */
    struct err *err;
    enum status status; /* INVALID after the first fault */
};

/* Parse bundle->manifest; the root is freed with manifest_close. */
enum status manifest_open(struct manifest *manifest, struct bundle *bundle,
                          struct err *err);
void manifest_close(struct manifest *manifest);

/* Fill everything but models, files and examples. Reads on after a fault. */
enum status manifest_read(struct manifest *manifest);

/* Fill the examples; manifest_read went well. */
enum status manifest_read_examples(struct manifest *manifest);

/* Say what is wrong at a JSON pointer. */
void manifest_fault(struct manifest *manifest, const char *code, const char *pointer,
                    const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The i-th item's pointer, e.g. "/features/3/name". */
enum { POINTER_BYTES = 160 };
void pointer_of(char pointer[static POINTER_BYTES], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
