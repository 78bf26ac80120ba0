/* log_file.h - the write-ahead log written in few large pieces. */
#ifndef REDRESS_STORE_LOG_FILE_H
#define REDRESS_STORE_LOG_FILE_H

/* The name of SQLite's file layer with this change, made on first use from the default
 * one. NULL without memory. Any thread. */
const char *log_file_layer(void);

#endif
