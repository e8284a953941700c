/* log.db, for all who open it: its tables are in log.sql. */
#ifndef STENO_LOG_H
#define STENO_LOG_H

/* PRAGMA user_version of a log with these tables. */
#define STENO_LOG_VERSION 6

#endif
