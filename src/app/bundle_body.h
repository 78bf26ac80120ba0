/* bundle_body.h - a bundle as the body of a request: {"manifest": .., "files": {name:
 * ..}}. */
#ifndef REDRESS_APP_BUNDLE_BODY_H
#define REDRESS_APP_BUNDLE_BODY_H

#include "model/bundle.h"

/* The manifest goes as it is, byte by byte, files as text when they are UTF-8, else in
 * base 64, so that the version gets the same checksum there as here. *body is freed by
 * the caller. */
enum status bundle_body(struct text manifest, const struct bundle_file *files,
                        int file_count, char **body, size_t *bytes, struct err *err);

#endif
